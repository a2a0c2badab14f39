/** Nothing is taken from a replica that is well and works on it, and no replica forgets what is its own. */
import { Duration } from "effect"
import { dlqWaitOf } from "../../../domain/delivery/dlq.ts"
import { roomFor } from "../../../programs/delivery/pendingRecovery.ts"
import type { ConsumedStream } from "../../../programs/delivery/state/consumedStream.ts"
import type { Process } from "../../world/process.ts"
import type { Replica } from "../../world/replica.ts"
import type { World } from "../../world/world.ts"
import { place } from "../eventRecords.ts"
import type { Checker, Scene } from "./checker.ts"

/** How long a replica may take to find what is its own, in milliseconds. */
const patienceMs = 12_000
/** How often what is forgotten is looked for, in milliseconds. */
const searchEveryMs = 5_000
/** Room that a replica may leave itself when it reads what is its own again. */
const overlap = 2

/** Ids and owners of pending entries, idle for at least so many milliseconds. */
const pending = (
  world: World,
  stream: string,
  group: string,
  idle: string,
  consumer?: string
): Array<[string, string]> => {
  const found = world.redis.look(
    "XPENDING",
    stream,
    group,
    "IDLE",
    idle,
    "-",
    "+",
    "500",
    ...(consumer === undefined ? [] : [consumer])
  )
  return Array.isArray(found) ? found.map(([id, owner]) => [String(id), String(owner)]) : []
}

export const ownership = ({ records, report, scenario, world }: Scene): Checker => {
  const claimIdleMs = Duration.toMillis(scenario.settings.claimIdle)
  /** When something last befell a replica, in milliseconds after the start. */
  const troubled = new Map<string, number>()
  const ownNames = new Set(scenario.replicas.map(({ consumer }) => consumer)).size === scenario.replicas.length
  /** Since when each stream of a replica has had room for what is its own, in milliseconds after the start. */
  const roomySince = new WeakMap<ConsumedStream, number>()
  /** Entries that were handed to a connection whose client was gone: nobody knows them until they are idle. */
  const swallowed = new Set<string>()
  /** How far off a process's wall clock is, and by how much it was set forward in all, in milliseconds. */
  const clocks = new WeakMap<Process, { readonly skew: number; readonly forward: number }>()
  let searchedAt = 0
  let owners = new Map<string, string>()
  const trouble = (name: string | undefined) => {
    for (const replica of world.replicas)
      if (name === undefined || replica.name === name) troubled.set(replica.name, world.elapsed)
  }
  const holder = (consumer: string): Replica | undefined =>
    world.replicas.find(({ run }) => run?.consumer.name === consumer)

  /** Notes whether a process's wall clock was set. */
  const noteClock = (process: Process | undefined) => {
    if (process === undefined) return
    const { skew, forward } = clocks.get(process) ?? { skew: process.skew, forward: 0 }
    clocks.set(process, { skew: process.skew, forward: forward + Math.max(0, process.skew - skew) })
  }

  /** Whether a replica has found an entry again only just now, which was idle before: it may still be another's. */
  const isFoundAgain = (replica: Replica, key: string, id: string): boolean => {
    const stream = replica.run?.consumedStreams.find((candidate) => candidate.key === key)
    const entry = stream === undefined ? undefined : replica.run?.owned.get(stream, id)
    return entry !== undefined && BigInt(world.now) - entry.readAtNanos / 1_000_000n < BigInt(claimIdleMs)
  }

  const wellAndKnowing = (replica: Replica, key: string, id: string, forMs: number): boolean => {
    const { process, run } = replica
    if (process === undefined || process.paused || run === undefined) return false
    if (world.elapsed - (troubled.get(replica.name) ?? 0) < forMs) return false
    return run.consumedStreams.some((stream) => stream.key === key && run.owned.has(stream, id))
  }

  const claimed = (stream: string, ids: ReadonlyArray<string>, idle: number, taker: Process | undefined) => {
    // Who asks for no idle time at all takes from everybody.
    const forMs = idle === 0 ? 0 : claimIdleMs + 10_000
    for (const id of ids) {
      const owner = holder(owners.get(id) ?? "")
      if (owner === undefined || owner.process === taker || !wellAndKnowing(owner, stream, id, forMs)) continue
      if (idle >= claimIdleMs && isFoundAgain(owner, stream, id)) continue
      report("stolen", `${stream} ${id} was taken from ${owner.name} by ${taker?.name}`)
    }
  }

  /** Notes where there is no room, or work may not begin: nobody reads what is its own then. */
  const noteRoom = (replica: Replica) => {
    const { run } = replica
    for (const stream of run?.consumedStreams ?? []) {
      const { now } = world
      const roomy = run !== undefined && roomFor(run, stream, now) > overlap && run.gate.flows(now)
      if (!roomy) roomySince.delete(stream)
      else if (!roomySince.has(stream)) roomySince.set(stream, world.elapsed)
    }
  }

  /** Whether an entry is one of the DLQ that was set aside, or is due later, and may have given way to others until then. */
  const isDueLater = ({ key }: ConsumedStream, id: string, process: Process): boolean => {
    if (key !== scenario.streams.dlq) return false
    const found = world.redis.look("XRANGE", key, id, id)
    if (!Array.isArray(found) || found[0] === undefined) return false
    // It waits by a clock that nobody sets: what was set forward since is no time that went by.
    const now = process.now - (clocks.get(process)?.forward ?? 0)
    const { dueTime, setAsideFor } = dlqWaitOf(found[0][1], now)
    return setAsideFor !== undefined || dueTime > now - patienceMs
  }

  /** Whether a replica left entries of the same partition in the DLQ for later, and so knows where they lie. */
  const isLeft = (run: NonNullable<Replica["run"]>, { key }: ConsumedStream, id: string): boolean => {
    const values = key === scenario.streams.dlq ? records.at(key, id)?.record.produced.values : undefined
    return run.partitions.partedBy.some((name, field) => {
      const value = values?.[name]
      return value !== undefined && run.left.has({ field, value })
    })
  }

  /** Entries that are a well replica's own for a while, and that it does not know. */
  const forgotten = (replica: Replica) => {
    const { process, run } = replica
    if (run === undefined || process?.paused !== false) return
    if (world.elapsed - (troubled.get(replica.name) ?? 0) < patienceMs) return
    for (const stream of run.consumedStreams) {
      if (world.elapsed - (roomySince.get(stream) ?? world.elapsed) < patienceMs) continue
      const { group, name } = run.consumer
      for (const [id] of pending(world, stream.key, group, String(patienceMs), name)) {
        const isKnown = run.owned.has(stream, id) || swallowed.has(place(stream.key, id))
        if (!isKnown && !isDueLater(stream, id, process) && !isLeft(run, stream, id))
          report("forgotten", `${stream.key} ${id} is ${replica.name}'s, which does not know it`)
      }
    }
  }

  const repliesAreLost = scenario.faults.some(({ kind }) => kind === "lost-replies")
  const stopping = new Map<string, { readonly at: number; readonly consumer: string }>()

  /** What a replica that stopped cleanly left behind, and another cannot take at once. */
  const released = ({ name }: Replica) => {
    const stop = stopping.get(name)
    stopping.delete(name)
    if (stop === undefined || (troubled.get(name) ?? 0) > stop.at) return
    const { dlq, process, transcribe } = scenario.streams
    for (const stream of [transcribe, process, dlq]) {
      const left = new Set(pending(world, stream, "job-collector-group", "0", stop.consumer).map(([id]) => id))
      for (const [id] of pending(world, stream, "job-collector-group", String(claimIdleMs), stop.consumer))
        left.delete(id)
      if (left.size > 0) report("not-released", `${name} stopped and left ${[...left].join(", ")} in ${stream}`)
    }
  }

  return {
    onFault: (fault, phase) => {
      if (fault.kind === "skew") noteClock(world.replica(fault.replica).process)
      if (fault.kind === "stop" && phase === "begins") {
        const replica = world.replica(fault.replica)
        const consumer = replica.run?.consumer.name
        const quiet = world.elapsed - (troubled.get(fault.replica) ?? 0) > 6_000
        if (replica.stopping && ownNames && quiet && !repliesAreLost && consumer !== undefined) {
          stopping.set(fault.replica, { at: world.elapsed, consumer })
          return
        }
      }
      if (fault.kind !== "storm" && fault.kind !== "host") trouble("replica" in fault ? fault.replica : undefined)
    },
    onStart: ({ name }) => trouble(name),
    onGone: (replica) => {
      released(replica)
      trouble(replica.name)
    },
    onBroken: ({ name }) => {
      // Who stops closes its connections itself.
      if (!stopping.has(name)) trouble(name)
    },
    onUnheard: (_process, name, reply) => {
      if (name !== "XREADGROUP" || !Array.isArray(reply)) return
      for (const [stream, entries] of reply) for (const [id] of entries) swallowed.add(place(stream, id))
    },
    onCommand: (_process, name, args) => {
      if (name !== "XAUTOCLAIM" && name !== "XCLAIM") return
      const [stream = "", group = "", , idle = "0"] = args
      owners = new Map(pending(world, stream, group, idle).map(([id, consumer]) => [id, consumer]))
    },
    onLast: ({ rounds }) => {
      for (const { places } of rounds) for (const at of places) swallowed.delete(at)
    },
    onLook: () => {
      for (const replica of world.replicas) {
        const { name, process } = replica
        if (process === undefined || process.paused || !world.redis.reaches(process)) trouble(name)
        noteClock(process)
        noteRoom(replica)
      }
      // Who has lost a shared name leaves entries behind under it, which nobody knows until they are idle.
      if (!ownNames || world.elapsed - searchedAt < searchEveryMs) return
      searchedAt = world.elapsed
      for (const replica of world.replicas) forgotten(replica)
    },
    onStreamEvent: (streamEvent, process) => {
      if (streamEvent._tag !== "Claimed") return
      for (const id of streamEvent.ids) swallowed.delete(place(streamEvent.stream, id))
      claimed(streamEvent.stream, streamEvent.ids, streamEvent.idle, process)
    }
  }
}
