import { Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { creditsForAudio } from "../src/domain/events/credits.ts"
import type { AbandonedEvent, StoredEvent } from "./streams.ts"
import type { World } from "./world.ts"

/** One line of the ledger: what must be equal, and whether it is. */
export interface LedgerLine {
  readonly what: string
  readonly figures: string
  readonly balanced: boolean
}

export interface Ledger {
  readonly lines: ReadonlyArray<LedgerLine>
  readonly balanced: boolean
  /** Abandoned events by reason. */
  readonly abandoned: Readonly<Record<string, number>>
  /** The ids of a user's jobs, oldest first. */
  readonly jobIds: (userId: string) => ReadonlyArray<number>
}

interface Job {
  readonly event_id: string
  readonly user_id: string
  readonly job_id: number
  readonly credits: number
  readonly input_cost: number | null
  readonly output_cost: number | null
}

const readJobs = SqlClient.use(
  (sql) => sql<{ readonly jobs: ReadonlyArray<Job> }>`
    SELECT coalesce(json_agg(json_build_object('event_id', event_id, 'user_id', user_id, 'job_id', job_id,
      'credits', credits, 'input_cost', input_cost, 'output_cost', output_cost)), '[]') AS jobs FROM jobs`
).pipe(Effect.map(([row]) => row!.jobs))

const readUsers = SqlClient.use(
  (sql) => sql<{ readonly users: Readonly<Record<string, number>>; readonly records: number }>`
    SELECT coalesce(json_object_agg(user_id, granted - balance), '{}') AS users,
      (SELECT count(*) FROM idempotency_records)::integer AS records
    FROM users_credits`
).pipe(Effect.map(([row]) => row!))

/** Costs have four decimals: in ten-thousandths of a credit per 1,000 tokens all arithmetic is exact. */
const exact = (cost: number | null): number => Math.round(Number(cost) * 10_000)

/** What an event costs, reckoned from the event itself as it stands in its stream. */
const creditsOf = ({ fields }: StoredEvent, job: Job): number => {
  if ("audio_seconds" in fields) return creditsForAudio(Number(fields.audio_seconds))
  const cost =
    Number(fields.prompt_tokens) * exact(job.input_cost) + Number(fields.completion_tokens) * exact(job.output_cost)
  return Math.max(1, Math.floor((cost + 5_000_000) / 10_000_000))
}

const sum = (numbers: Iterable<number>): number => {
  let total = 0
  for (const n of numbers) total += n
  return total
}

const countBy = <A>(list: ReadonlyArray<A>, key: (one: A) => string): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const one of list) counts[key(one)] = (counts[key(one)] ?? 0) + 1
  return counts
}

const format = (n: number) => n.toLocaleString("en-US")

/** Compares what was produced (in Redis) with what was charged (in the database), without asking API or collector. */
export const audit = async (world: World): Promise<Ledger> => {
  const events = await world.streams.produced()
  const abandoned: ReadonlyArray<AbandonedEvent> = await world.streams.abandonedEvents()
  const backlog = await world.streams.backlog()
  const jobs = await world.query(readJobs)
  const { users, records } = await world.query(readUsers)

  const jobOf = new Map(jobs.map((job) => [job.event_id, job]))
  const given = new Set(abandoned.map(({ eventId }) => eventId))
  const lost = [...events.keys()].filter((id) => !jobOf.has(id) && !given.has(id)).length
  const entries = sum([...events.values()].map((event) => event.entries))
  // Each entry of an event that was added twice meets its own end.
  const ends = countBy(abandoned, ({ eventId }) => eventId)
  const tooMany = [...given].filter((id) => (ends[id] ?? 0) > (events.get(id)?.entries ?? 0)).length
  const both = [...given].filter((id) => jobOf.has(id)).length
  const strange = jobs.filter(({ event_id }) => !events.has(event_id)).length
  const credits = sum(jobs.map((job) => job.credits))
  const charged = sum(Object.values(users))
  const perUser = new Map<string, number>()
  for (const job of jobs) perUser.set(job.user_id, (perUser.get(job.user_id) ?? 0) + job.credits)
  const wrongBalances = Object.entries(users).filter(([user, spent]) => spent !== (perUser.get(user) ?? 0)).length
  const wrongPrices = jobs.filter((job) => {
    const event = events.get(job.event_id)
    return event === undefined || creditsOf(event, job) !== job.credits
  }).length

  const line = (what: string, figures: string, balanced: boolean): LedgerLine => ({ what, figures, balanced })
  const lines = [
    line(
      "events produced = jobs + abandoned",
      `${format(events.size)} = ${format(jobs.length)} + ${format(given.size)}`,
      events.size === jobs.length + given.size
    ),
    line(
      "every event is either a job or abandoned",
      `${lost} lost, ${both} both, ${strange} from nowhere`,
      lost + both + strange === 0
    ),
    line(
      "no event has two jobs, no entry two ends",
      `${format(entries)} entries, ${format(jobOf.size)} events with a job, ${tooMany} with too many ends`,
      jobOf.size === jobs.length && records === jobs.length && tooMany === 0
    ),
    line("credits charged = sum over jobs", `${format(charged)} = ${format(credits)}`, charged === credits),
    line(
      "each user's balance agrees",
      `${Object.keys(users).length} users, ${wrongBalances} wrong`,
      wrongBalances === 0
    ),
    line(
      "each job's credits agree with its event",
      `${format(jobs.length)} jobs, ${wrongPrices} wrong`,
      wrongPrices === 0
    ),
    line(
      "nothing is left in the streams",
      `${backlog.lag} unread, ${backlog.pending} pending, ${backlog.dlq} in the DLQ`,
      backlog.lag + backlog.pending + backlog.dlq === 0
    )
  ]
  return {
    lines,
    balanced: lines.every(({ balanced }) => balanced),
    abandoned: countBy([...new Map(abandoned.map((one) => [one.eventId, one])).values()], ({ reason }) => reason),
    jobIds: (userId) =>
      jobs
        .filter((job) => job.user_id === userId)
        .map((job) => job.job_id)
        .sort((a, b) => a - b)
  }
}
