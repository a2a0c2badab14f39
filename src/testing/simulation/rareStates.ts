/**
 * What must sometimes happen: states that few seeds come to, and where mistakes hide. A set of seeds that never sees one of them
 * says nothing about it. Each is told of as it is seen, from outside, and is no mistake.
 */
import { Duration } from "effect"
import { defaultOptions } from "../../domain/options/options.ts"
import { rulesKey } from "../../services/EventStreams.ts"
import { scriptName } from "../../services/Scripts.ts"
import type { Process } from "../world/process.ts"
import type { World } from "../world/world.ts"
import { type Checker, isSuccess, type Scene } from "./checkers/checker.ts"
import { configDirectory } from "./checkers/configuration.ts"
import type { EventRecord } from "./eventRecord.ts"
import { place } from "./eventRecords.ts"
import { goneForGood } from "./livenessPlan.ts"

export interface RareState {
  readonly name: string
  /** What it is, in a line. */
  readonly what: string
  readonly watch: (scene: Scene, seen: () => void) => Checker
}

/** The entry that a script's call is to move, as a place; undefined for any other command. */
const movedBy = (name: string, args: ReadonlyArray<string>): string | undefined =>
  name === "EVAL" && scriptName(args[0] ?? "") === "move" ? place(args[2] ?? "", args[6] ?? "") : undefined

const runOf = (world: World, process: Process) => world.replicas.find((replica) => replica.process === process)?.run

/** Whether a process's lease has run out, as far as it can know itself. */
const hasNoLease = (world: World, process: Process): boolean => {
  const run = runOf(world, process)
  return run !== undefined && run.lease.validUntil < world.kernel.microseconds / 1_000
}

/** Whether a replica works on an entry. */
const worksOn = (world: World, stream: string, id: string, taker: Process | undefined): boolean =>
  world.replicas.some(({ process, run }) => {
    const consumed = run?.consumedStreams.find(({ key }) => key === stream)
    if (process === taker || consumed === undefined) return false
    return run?.owned.get(consumed, id)?.state._tag === "Running"
  })

export const rareStates: ReadonlyArray<RareState> = [
  {
    name: "move-unanswered-then-taken-over",
    what: "a move was not answered, and before it was repeated another replica took the entry over, or its copy",
    watch: (_scene, seen) => {
      const copies = new Map<string, string>()
      const unanswered = new Map<string, Process>()
      return {
        onStreamEvent: (streamEvent, process) => {
          if (streamEvent._tag === "Moved") {
            copies.set(place(streamEvent.from, streamEvent.id), place(streamEvent.to, streamEvent.newId))
          } else if (streamEvent._tag === "Claimed") {
            for (const id of streamEvent.ids) {
              const at = place(streamEvent.stream, id)
              const sender = unanswered.get(at)
              if (sender !== undefined && sender !== process && unanswered.delete(at)) seen()
            }
          }
        },
        onUnanswered: (process, name, args) => {
          const at = movedBy(name, args)
          if (at === undefined) return
          unanswered.set(at, process)
          unanswered.set(copies.get(at) ?? at, process)
        }
      }
    }
  },
  {
    name: "move-unanswered-twice",
    what: "the move of one entry was not answered, and its repetition neither",
    watch: (_scene, seen) => {
      const unanswered = new Set<string>()
      return {
        onUnanswered: (_process, name, args) => {
          const at = movedBy(name, args)
          if (at === undefined) return
          if (unanswered.has(at)) seen()
          unanswered.add(at)
        }
      }
    }
  },
  {
    name: "lease-lost-in-a-move",
    what: "a move arrives at Redis after its sender's lease on its name has run out",
    watch: ({ world }, seen) => ({
      onCommand: (process, name, args) => {
        if (movedBy(name, args) !== undefined && hasNoLease(world, process)) seen()
      }
    })
  },
  {
    name: "killed-while-a-rule-changes",
    what: "a replica is killed after a traffic rule changed, before it has read that",
    watch: ({ scenario, world }, seen) => {
      const key = rulesKey(scenario.streams.transcribe, defaultOptions.consumerGroup)
      let unread = new Set<string>()
      return {
        onExecuted: ({ args, name, process }) => {
          if (name === "EVAL" && scriptName(args[0] ?? "") === "swap" && args[2] === key) {
            unread = new Set(world.replicas.flatMap((replica) => (replica.run === undefined ? [] : [replica.name])))
          } else if (name === "GET" && args[0] === key && process !== undefined) unread.delete(process.name)
        },
        onGone: ({ name }) => {
          if (unread.delete(name)) seen()
        }
      }
    }
  },
  {
    name: "gone-between-success-and-end",
    what: "a process ends between the API's success and the end of the event's entry",
    watch: ({ records }, seen) => {
      const succeeded = new WeakMap<Process, Set<EventRecord>>()
      return {
        onEnd: ({ process, request }, status, body) => {
          const record = isSuccess(status, body) ? records.ofRequest(request)?.record : undefined
          if (record === undefined) return
          const known = succeeded.get(process) ?? new Set()
          for (const other of known) if (other.copies.size === 0) known.delete(other)
          succeeded.set(process, known.add(record))
        },
        onGone: (_replica, process) => {
          for (const { copies } of succeeded.get(process) ?? []) if (copies.size > 0) seen()
        }
      }
    }
  },
  {
    name: "taken-over-under-way",
    what: "an entry is taken over while the replica that had it still works on it",
    watch: ({ world }, seen) => ({
      onStreamEvent: (streamEvent, process) => {
        if (streamEvent._tag !== "Claimed") return
        if (streamEvent.ids.some((id) => worksOn(world, streamEvent.stream, id, process))) seen()
      }
    })
  },
  {
    name: "several-partitions-open",
    what: "the circuits of several partitions are open in one replica",
    watch: ({ world }, seen) => ({
      onLook: () => {
        if (world.replicas.some(({ run }) => (run?.gate.circuits.open ?? 0) > 1)) seen()
      }
    })
  },
  {
    name: "api-and-redis-away",
    what: "the API's circuit is open while Redis is away",
    watch: ({ world }, seen) => ({
      onLook: () => {
        if (!world.redis.isUp && world.replicas.some(({ run }) => run?.gate.circuitOpen === true)) seen()
      }
    })
  },
  {
    name: "stopped-while-redis-is-away",
    what: "a replica is asked to stop while Redis is away",
    watch: ({ world }, seen) => ({
      onFault: (fault, phase) => {
        if (fault.kind === "stop" && phase === "begins" && !world.redis.isUp) seen()
      }
    })
  },
  {
    name: "all-gone",
    what: "no replica runs, one or more of several that should",
    watch: ({ world }, seen) => ({
      onGone: () => {
        if (world.replicas.length > 1 && world.replicas.every(({ process }) => process === undefined)) seen()
      }
    })
  },
  {
    name: "killed-in-an-install",
    what: "a process ends while it holds the lock on the configuration folder",
    watch: (_scene, seen) => ({
      onGone: ({ disk }) => {
        try {
          disk.at(`${configDirectory}/.lock`, false)
          seen()
        } catch {
          // It was not writing.
        }
      }
    })
  },
  {
    name: "replay-unanswered",
    what: "a step of the operator's replay is not answered, which may have put an event back",
    watch: (_scene, seen) => ({
      onUnanswered: (_process, name, args) => {
        if (name === "EVAL" && scriptName(args[0] ?? "") === "replay") seen()
      }
    })
  },
  {
    name: "woke-without-its-name",
    what: "a process that stood still goes on with entries of its own and a lease that has run out",
    watch: ({ scenario, world }, seen) => ({
      onFault: (fault, phase) => {
        if (fault.kind !== "pause" || phase !== "ends") return
        const { process, run } = world.replica(fault.replica)
        const isLong = fault.lasts > Duration.toMillis(scenario.settings.claimIdle)
        if (process !== undefined && isLong && hasNoLease(world, process) && (run?.owned.size ?? 0) > 0) seen()
      }
    })
  },
  {
    name: "data-lost-under-requests",
    what: "Redis loses data while requests are under way",
    watch: ({ world }, seen) => ({
      onFault: (fault, phase) => {
        const loses = fault.kind === "flush" || fault.kind === "failover" || fault.kind === "trim"
        if (loses && phase === "begins" && world.replicas.some(({ run }) => (run?.apiRecord.inFlight ?? 0) > 0)) seen()
      }
    })
  },
  {
    name: "stopped-for-poison",
    what: "an event that kills whoever sends it is abandoned for that",
    watch: ({ records, scenario }, seen) => ({
      onRecords: (streamEvent) => {
        if (streamEvent._tag !== "Moved" || streamEvent.to !== scenario.streams.abandoned) return
        if (records.at(streamEvent.to, streamEvent.newId)?.record.abandoned?.reason === "poison") seen()
      }
    })
  },
  {
    name: "broken-for-good-with-entries",
    what: "a replica that never comes back leaves entries behind that it was working on",
    watch: ({ scenario, world }, seen) => ({
      onFault: (fault, phase) => {
        if (
          phase === "begins" &&
          "replica" in fault &&
          goneForGood(scenario.faults, world.elapsed).has(fault.replica)
        ) {
          const name = scenario.replicas.find((replica) => replica.name === fault.replica)?.consumer ?? ""
          const { dlq, process, transcribe } = scenario.streams
          const owned = (stream: string) => {
            const found = world.redis.look("XPENDING", stream, "job-collector-group", "-", "+", "1", name)
            return Array.isArray(found) && found.length > 0
          }
          if ([transcribe, process, dlq].some(owned)) seen()
        }
      }
    })
  }
]
