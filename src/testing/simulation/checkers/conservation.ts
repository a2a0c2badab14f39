/** Nothing is lost, doubled or made up: the total-queue check, at every step and at the end. */
import type { Round } from "../eventRecord.ts"
import { isAfter } from "../eventRecords.ts"

import { isPending, type StreamEvent } from "../streamEvents.ts"
import type { Checker, Scene } from "./checker.ts"

/** What is wrong with the reason that an event was just abandoned for. */
const reasonsOf = ({ entryId, record, failures, statuses }: Round, { scenario }: Scene): string | undefined => {
  const { abandoned, produced } = record
  switch (abandoned?.reason) {
    case "invalid":
      if (produced.nature !== "invalid" && produced.nature !== "garbled") return "it is a valid event"
      return produced.untimely && entryId !== produced.entryId ? "it was replayed" : undefined
    case "rejected":
      return [400, 413, 422].some((status) => statuses.has(status)) ? undefined : "it was never rejected"
    case "exhausted":
      if (abandoned.attempts !== 4) return `it says ${abandoned.attempts} attempts`
      return failures >= 4 ? undefined : `only ${failures} failures were seen`
    case "poison":
      return produced.nature === "poison" ? undefined : "it kills nobody"
    default:
      return `its reason is ${abandoned?.reason} (at most ${scenario.settings.maxDeliveries} hand-outs)`
  }
}

export const conservation = (scene: Scene): Checker => {
  const { api, records, report, scenario, world } = scene

  const ended = (stream: string, id: string) => {
    const record = records.at(stream, id)?.record
    if (record === undefined)
      return report("unexpected", `an entry that nobody made, or over long ago, was acknowledged: ${stream} ${id}`)
    if (record.copies.size > 0 || records.ended(record)) return
    report("acknowledged-undone", `${record.produced.eventId} was acknowledged in ${stream} and stands nowhere else`)
  }

  const copied = (to: string, newId: string, fields: ReadonlyArray<string>) => {
    const round = records.at(to, newId)
    if (round === undefined) return report("unexpected", `a copy of no event was added to ${to}: ${newId}`)
    const { record } = round
    const { eventId } = record.produced
    if (to === scenario.streams.abandoned) {
      const problem = reasonsOf(round, scene)
      if (problem !== undefined) report("abandoned-wrongly", `${eventId} (${record.abandoned?.reason}): ${problem}`)
    } else if (round.stream === to && round.entryId === newId) begun(round, fields)
    const places = [...record.copies, ...(record.abandoned === undefined ? [] : [record.abandoned.at])]
    if (places.length > 1) report("copied-twice", `${eventId} stands in ${places.join(", ")} at once`)
  }

  /** An event put back comes as it came first, to where it came first. */
  const begun = ({ record, stream }: Round, fields: ReadonlyArray<string>) => {
    const { eventId, fields: original, stream: origin } = record.produced
    if (stream !== origin) report("replayed-wrongly", `${eventId} came from ${origin} and was put into ${stream}`)
    const own = fields.at(-2) === "job-collector:replayed" ? fields.slice(0, -2) : fields
    if (JSON.stringify(own) !== JSON.stringify(original)) {
      report("replayed-wrongly", `${eventId} came as ${JSON.stringify(original)}, now ${JSON.stringify(fields)}`)
    }
  }

  const removed = (stream: string, id: string) => {
    const record = records.at(stream, id)?.record
    if (record === undefined || record.copies.size > 0 || records.ended(record)) return
    report("removed-undone", `${record.produced.eventId} was deleted from ${stream} and stands nowhere else`)
  }

  const onRecords = (streamEvent: StreamEvent) => {
    if (streamEvent._tag === "Acknowledged") for (const id of streamEvent.ids) ended(streamEvent.stream, id)
    else if (streamEvent._tag === "Moved") {
      ended(streamEvent.from, streamEvent.id)
      copied(streamEvent.to, streamEvent.newId, streamEvent.fields)
    } else if (streamEvent._tag === "Added") copied(streamEvent.stream, streamEvent.id, streamEvent.fields)
    else if (streamEvent._tag === "Replayed") copied(streamEvent.to, streamEvent.newId, streamEvent.fields)
    else if (streamEvent._tag === "Removed") for (const id of streamEvent.ids) removed(streamEvent.stream, id)
    else if (streamEvent._tag === "Trimmed") trimmed(streamEvent.stream)
  }

  const trimmed = (stream: string) => {
    const [first] = records.entries(stream, 1)
    for (const { copies, produced } of records.standing) {
      for (const at of copies) {
        const [where, id = ""] = at.split(" ")
        if (where !== stream || (first !== undefined && !isAfter(first[0], id))) continue
        report("trimmed-undone", `${produced.eventId}, ${at}`)
      }
    }
  }

  return {
    onRecords,
    onLast: (record) => {
      const { eventId, nature, untimely } = record.produced
      if (!records.ended(record)) report("lost", `${eventId} was neither delivered nor abandoned`)
      if (records.ended(record) && record.copies.size > 0)
        report("undrained", `${eventId}: ${[...record.copies].join(", ")}`)
      const isSent = untimely ? record.rounds[0]?.body !== undefined : record.requests > 0
      if (nature === "invalid" && isSent) report("invalid-sent", eventId)
      if (
        nature === "good" &&
        record.lost === undefined &&
        record.successes === 0 &&
        record.abandoned?.reason === "invalid"
      )
        report("abandoned-wrongly", `${eventId} as invalid`)
    },
    atEnd: () => {
      for (const job of api.jobs.values()) {
        if (records.ofEvent(job.eventId) === undefined)
          report("unexpected", `the API got ${job.eventId}, which nobody made`)
      }
      const { dlq, process, transcribe } = scenario.streams
      for (const stream of [transcribe, process, dlq]) {
        const pending = world.pending(stream)
        if (pending > 0) report("stranded", `${pending} entries of ${stream} are pending at the end`)
      }
      const left = world.entries(dlq).filter(({ id }) => !isPending(world.redis, dlq, "job-collector-group", id))
      if (left.length > 0) report("stranded", `${left.length} entries are left in the DLQ`)
    }
  }
}
