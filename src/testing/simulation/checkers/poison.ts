/** An entry that kills every process that works on it is given up after `MAX_DELIVERIES` hand-outs. */
import type { Round } from "../eventRecord.ts"
import type { Checker, Scene } from "./checker.ts"

export const poison = ({ records, report, scenario, world }: Scene): Checker => {
  /** When each event killed in each of its rounds, in milliseconds after the start: as far as Redis can still know of it. */
  const kills = new Map<Round, ReadonlyArray<number>>()

  return {
    onKill: (round) => {
      const counted = [...(kills.get(round) ?? []), world.elapsed]
      kills.set(round, counted)
      if (counted.length > scenario.settings.maxDeliveries) {
        report("poison", `${round.record.produced.eventId} killed ${counted.length} processes`)
      }
    },
    onRecords: (streamEvent) => {
      // Hand-outs are counted of an entry: one that was attempted after all goes on as another.
      if (streamEvent._tag !== "Moved") return
      const round = records.at(streamEvent.to, streamEvent.newId)
      if (round !== undefined) kills.delete(round)
    },
    onFault: (fault, phase) => {
      if (phase !== "begins" || (fault.kind !== "failover" && fault.kind !== "flush")) return
      // Redis counts the hand-outs, and has now forgotten the last of them.
      const since = fault.kind === "flush" ? 0 : fault.at - fault.loses
      for (const [round, times] of kills)
        kills.set(
          round,
          times.filter((at) => at < since)
        )
    }
  }
}
