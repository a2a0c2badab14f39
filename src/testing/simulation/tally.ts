/** The total queue, counted event by event, so that nothing has to be kept of an event that is over. */
import type { EventRecord } from "./eventRecord.ts"

/** What became of events. */
export interface Outcomes {
  readonly produced: number
  readonly delivered: number
  readonly abandoned: number
  /** Put back from the abandoned stream. */
  readonly replayed: number
  /** Gone from Redis without an end: flushed, trimmed, or written to a master that failed over. */
  readonly lostByRedis: number
  /** Of those, delivered all the same: they were on their way when Redis lost them. */
  readonly recovered: number
  readonly lost: number
  /** Requests beyond the first for events that were delivered. */
  readonly repeated: number
  readonly requests: number
}

export const noOutcomes: Outcomes = {
  produced: 0,
  delivered: 0,
  abandoned: 0,
  replayed: 0,
  lostByRedis: 0,
  recovered: 0,
  lost: 0,
  repeated: 0,
  requests: 0
}

/** Whether nothing more has to happen to an event. */
export const hasEnded = ({ abandoned, lost, successes }: EventRecord): boolean =>
  successes > 0 || abandoned !== undefined || lost !== undefined

const one = (condition: boolean): number => (condition ? 1 : 0)

/** The outcomes with one more event in them. */
export const counting = (so: Outcomes, record: EventRecord): Outcomes => {
  const { abandoned, lost, requests, rounds, successes } = record
  const delivered = successes > 0
  return {
    produced: so.produced + 1,
    delivered: so.delivered + one(delivered),
    abandoned: so.abandoned + one(abandoned !== undefined),
    replayed: so.replayed + rounds.length - 1,
    lostByRedis: so.lostByRedis + one(lost !== undefined),
    recovered: so.recovered + one(delivered && lost !== undefined),
    lost: so.lost + one(!hasEnded(record)),
    repeated: so.repeated + (delivered ? Math.max(0, Math.min(requests, successes) - 1) : 0),
    requests: so.requests + requests
  }
}
