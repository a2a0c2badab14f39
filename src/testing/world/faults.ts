/** What goes wrong in a world, as data: a failing list of faults can be shrunk, printed and run again. */
import type { CrashKind } from "../SimulatedDisk.ts"
import type { NetworkConditions } from "./http.ts"

interface At {
  /** Milliseconds after the world's start. */
  readonly at: number
}
interface Lasting extends At {
  /** Milliseconds. */
  readonly lasts: number
}
interface OnReplica {
  readonly replica: string
}

/** The process is killed between two effects, and started again after a while. */
export interface Crash extends At, OnReplica {
  readonly kind: "crash"
  readonly downFor: number
  /** A power cut: the disk loses what was not synced, or keeps some of it in any order. The process alone where not given. */
  readonly disk?: CrashKind
}
/** The process is asked to stop (SIGTERM), and started again after a while. */
export interface Stop extends At, OnReplica {
  readonly kind: "stop"
  readonly downFor: number
  /** What the replica calls itself from then on, where its app asks: a new version comes with a new name. */
  readonly rename?: string
}
/** The process stands still (SIGSTOP, a long collection of garbage, a machine that is moved). */
export interface Pause extends Lasting, OnReplica {
  readonly kind: "pause"
}
/** One process cannot reach Redis: its connections are reset, or nothing passes and nobody is told. */
export interface Cut extends Lasting, OnReplica {
  readonly kind: "cut"
  readonly how: "reset" | "stall"
}
/** Redis is away for all. */
export interface RedisAway extends Lasting {
  readonly kind: "redis-away"
}
/** Commands are done, but their replies, and the connections with them, are lost with a probability. */
export interface LostReplies extends Lasting {
  readonly kind: "lost-replies"
  readonly chance: number
}
/** Redis fails over to a replica that had not yet got the last writes, and is away meanwhile. */
export interface Failover extends Lasting {
  readonly kind: "failover"
  /** Milliseconds of writes that are lost. */
  readonly loses: number
}
/** FLUSHALL. */
export interface Flush extends At {
  readonly kind: "flush"
}
/** Somebody trims a stream, unread and pending entries included. */
export interface Trim extends At {
  readonly kind: "trim"
  readonly stream: string
  readonly keep: number
}
/** One process's wall clock is off. */
export interface Skew extends Lasting, OnReplica {
  readonly kind: "skew"
  /** Milliseconds ahead of the world; negative: behind. */
  readonly by: number
}
/** Network conditions on the way to the host. */
export interface Storm extends Lasting {
  readonly kind: "storm"
  readonly conditions: NetworkConditions
}
/** Something befalls the host: its stub is told by `onFault`. */
export interface HostChange extends At {
  readonly kind: "host"
  readonly change: string
}
/** What may go wrong in a world, as data; times are milliseconds after its start. */
export type Fault =
  | Crash
  | Stop
  | Pause
  | Cut
  | RedisAway
  | LostReplies
  | Failover
  | Flush
  | Trim
  | Skew
  | Storm
  | HostChange

/** When a fault's cause is over, in milliseconds after the world's start. */
export const endOf = (fault: Fault): number => {
  if ("lasts" in fault) return fault.at + fault.lasts
  return "downFor" in fault ? fault.at + fault.downFor : fault.at
}

/** A fault in one line. */
export const describe = (fault: At & { readonly kind: string }): string => {
  const { at, kind, ...rest } = fault
  const words = Object.entries(rest)
    .filter(([, value]) => typeof value !== "function")
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : value}`)
  return [`${(at / 1_000).toFixed(3)} s`, kind, ...words].join(" ")
}
