/** Nothing is lost, doubled or made up: the total-queue check, at every step and at the end. */
import { isAfter, type Round } from "../eventRecords.ts"

import { type Happening, isPending } from "../streamEvents.ts"
import type { Checker, Scene } from "./checker.ts"

/** What is wrong with the reason that an event was just abandoned for. */
const reasonsOf = ({ entryId, fact, failures, statuses }: Round, { scenario }: Scene): string | undefined => {
  const { abandoned, produced } = fact
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
  const { api, facts, report, scenario, world } = scene

  const ended = (stream: string, id: string) => {
    const fact = facts.at(stream, id)?.fact
    if (fact === undefined)
      return report("unexpected", `an entry that nobody made, or over long ago, was acknowledged: ${stream} ${id}`)
    if (fact.copies.size > 0 || facts.ended(fact)) return
    report("acknowledged-undone", `${fact.produced.eventId} was acknowledged in ${stream} and stands nowhere else`)
  }

  const copied = (to: string, newId: string, fields: ReadonlyArray<string>) => {
    const round = facts.at(to, newId)
    if (round === undefined) return report("unexpected", `a copy of no event was added to ${to}: ${newId}`)
    const { fact } = round
    const { eventId } = fact.produced
    if (to === scenario.streams.abandoned) {
      const problem = reasonsOf(round, scene)
      if (problem !== undefined) report("abandoned-wrongly", `${eventId} (${fact.abandoned?.reason}): ${problem}`)
    } else if (round.stream === to && round.entryId === newId) begun(round, fields)
    const places = [...fact.copies, ...(fact.abandoned === undefined ? [] : [fact.abandoned.at])]
    if (places.length > 1) report("copied-twice", `${eventId} stands in ${places.join(", ")} at once`)
  }

  /** An event put back comes as it came first, to where it came first. */
  const begun = ({ fact, stream }: Round, fields: ReadonlyArray<string>) => {
    const { eventId, fields: original, stream: origin } = fact.produced
    if (stream !== origin) report("replayed-wrongly", `${eventId} came from ${origin} and was put into ${stream}`)
    if (JSON.stringify(fields) !== JSON.stringify(original)) {
      report("replayed-wrongly", `${eventId} came as ${JSON.stringify(original)}, now ${JSON.stringify(fields)}`)
    }
  }

  const removed = (stream: string, id: string) => {
    const fact = facts.at(stream, id)?.fact
    if (fact === undefined || fact.copies.size > 0 || facts.ended(fact)) return
    report("removed-undone", `${fact.produced.eventId} was deleted from ${stream} and stands nowhere else`)
  }

  const onFacts = (happening: Happening) => {
    if (happening._tag === "Acknowledged") for (const id of happening.ids) ended(happening.stream, id)
    else if (happening._tag === "Moved") {
      ended(happening.from, happening.id)
      copied(happening.to, happening.newId, happening.fields)
    } else if (happening._tag === "Added") copied(happening.stream, happening.id, happening.fields)
    else if (happening._tag === "Replayed") copied(happening.to, happening.newId, happening.fields)
    else if (happening._tag === "Removed") for (const id of happening.ids) removed(happening.stream, id)
    else if (happening._tag === "Trimmed") trimmed(happening.stream)
  }

  const trimmed = (stream: string) => {
    const [first] = facts.entries(stream, 1)
    for (const { copies, produced } of facts.standing) {
      for (const at of copies) {
        const [where, id = ""] = at.split(" ")
        if (where !== stream || (first !== undefined && !isAfter(first[0], id))) continue
        report("trimmed-undone", `${produced.eventId}, ${at}`)
      }
    }
  }

  return {
    onFacts,
    onLast: (fact) => {
      const { eventId, nature, untimely } = fact.produced
      if (!facts.ended(fact)) report("lost", `${eventId} was neither delivered nor abandoned`)
      if (facts.ended(fact) && fact.copies.size > 0) report("undrained", `${eventId}: ${[...fact.copies].join(", ")}`)
      const isSent = untimely ? fact.rounds[0]?.body !== undefined : fact.requests > 0
      if (nature === "invalid" && isSent) report("invalid-sent", eventId)
      if (nature === "good" && fact.lost === undefined && fact.successes === 0 && fact.abandoned?.reason === "invalid")
        report("abandoned-wrongly", `${eventId} as invalid`)
    },
    atEnd: () => {
      for (const job of api.jobs.values()) {
        if (facts.ofEvent(job.eventId) === undefined)
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
