/**
 * What replicas share says the truth: no two have one name, the figures of each are there and of no other for long, and what was
 * counted, and kept of an event's end, is what happened.
 */
import { defaultOptions } from "../../../domain/options/options.ts"
import { minutesKey, outcomeKey, replicaKey, replicasKey } from "../../../services/EventStreams.ts"
import { scriptName } from "../../../services/Scripts.ts"
import type { Executed } from "../../world/redis.ts"
import { jsonOf } from "../eventRecords.ts"
import { goneForGood } from "../livenessPlan.ts"
import { type Checker, isSuccess, isUndisturbed, type Scene } from "./checker.ts"

/** Two may believe for so long that a name is theirs, until one hears that its lease is lost, in milliseconds. */
const sharedForMs = 15_000
/** Figures stand for a quarter of a minute. */
const figuresStandMs = 15_000

export const sharing = ({ api, report, scenario, world }: Scene): Checker => {
  const group = defaultOptions.consumerGroup
  const stream = scenario.streams.transcribe
  /** By a name: since when two or more have had it all the time, in milliseconds after the start. */
  const shared = new Map<string, number>()
  let delivered = 0
  const undisturbed = isUndisturbed(scenario)

  const names = () => {
    const holders = new Map<string, number>()
    for (const { process, run } of world.replicas) {
      if (run === undefined || process === undefined || process.paused || !world.redis.reaches(process)) continue
      holders.set(run.consumer.name, (holders.get(run.consumer.name) ?? 0) + 1)
    }
    for (const name of shared.keys()) if ((holders.get(name) ?? 0) < 2) shared.delete(name)
    for (const [name, count] of holders) {
      if (count < 2) continue
      const since = shared.get(name) ?? world.elapsed
      shared.set(name, since)
      if (world.elapsed - since > sharedForMs) report("name-shared", `${count} replicas are ${name}, since ${since} ms`)
    }
  }

  const pairsOf = (key: string): ReadonlyArray<readonly [string, string]> => {
    const found = world.redis.look("HGETALL", key)
    const flat = Array.isArray(found) ? found.map(String) : []
    return flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""] as const] : []))
  }

  const figures = () => {
    const key = replicasKey(stream, group)
    for (const [name, until] of pairsOf(key)) {
      const more = Number(until) - world.now
      if (more > figuresStandMs) report("presence", `the figures of ${name} stand for ${more} ms more`)
    }
  }

  /** What a conclusion keeps of each event. */
  const outcomes = ({ args }: Executed) => {
    const keys = Number(args[1])
    for (let at = 1; at < keys; at++) {
      const kept = jsonOf(["outcome", args[4 + keys + 2 * at] ?? ""], "outcome")
      const eventId = String(kept.event_id)
      const job = api.jobs.get(eventId)
      if (args[2 + at] !== outcomeKey(args[2] ?? "", eventId) || kept.job_id !== String(job?.jobId)) {
        report("outcome", `${eventId}: ${JSON.stringify(kept)} is kept as ${args[2 + at]}, its job is ${job?.jobId}`)
      }
    }
  }

  return {
    onLook: () => {
      names()
      figures()
    },
    onEnd: (_exchange, status, body) => {
      if (isSuccess(status, body)) delivered += 1
    },
    onExecuted: (executed) => {
      const { args, name, reply } = executed
      if (name === "EVAL" && scriptName(args[0] ?? "") === "conclude" && typeof reply === "number") outcomes(executed)
    },
    atEnd: () => {
      const broken = goneForGood(scenario.faults, world.elapsed)
      for (const { name, run } of world.replicas) {
        if (run === undefined || broken.has(name)) continue
        const found = world.redis.look("GET", replicaKey(stream, run.consumer))
        if (typeof found !== "string") report("presence", `${name} runs, and nobody is told so`)
      }
      if (!undisturbed) return
      const hours = [world.now - 3_600_000, world.now].map((at) => new Date(at).toISOString().slice(0, 13))
      const counted = hours
        .flatMap((hour) => pairsOf(minutesKey(stream, group, hour)))
        .reduce((sum, [field, count]) => (field.endsWith(":delivered") ? sum + Number(count) : sum), 0)
      if (counted !== delivered) report("counts", `${counted} deliveries are counted, ${delivered} were made`)
    }
  }
}
