/**
 * Redis Streams as the programs use them, typed. Every Redis key of this project:
 *
 * | key | type | what |
 * | --- | --- | --- |
 * | the four names of a stream set | stream | contract sections 3 and 5; one consumer group on each but the abandoned one |
 * | `{<stream>}:lease:<group>:<consumer>` | string, 5 s | who uses a consumer name; the value is a token of the process |
 * | `{<stream>}:owner` | string, 90 s | beside a DLQ or abandoned stream: the consumer group that it belongs to |
 * | `{<stream>}:start:<group>` | string | the id that the group was created at: what lies before it was never read by it |
 * | `{<stream>}:rules:<group>` | string | beside the first set's transcribe stream: the traffic rules (domain/traffic/rules.ts) |
 * | `{<stream>}:rate:<group>` | string, lapses when full | beside the first set's transcribe stream: the tokens that deliveries share (script `reserve`) |
 * | `{<stream>}:kind-rate:<group>` | string, lapses when full | beside the stream of an app's own kind with a `rateLimit`: its tokens, likewise |
 * | `{<stream>}:replica:<group>:<consumer>` | string, 15 s | beside it as well: a replica's figures (domain/replicas/replicaFigures.ts) |
 * | `{<stream>}:replicas:<group>` | hash, a minute | the replicas that have left figures, and until when those stand, by Redis's clock |
 * | `{<stream>}:minutes:<group>:<hour>` | hash, 25 h | what all replicas counted in each minute of an hour (domain/replicas/minutes.ts) |
 * | `{<stream>}:turn:<group>:<kind>` | string, some minutes | beside it as well: which alert of a kind was told last, and when (script `turn`) |
 * | `{<stream>}:audit` | stream, some 10,000 entries | beside it as well: who changed what (domain/audit/auditRecord.ts) |
 * | `{<stream>}:outcome:<event_id>` | string, `OUTCOME_RETENTION` | beside the stream (source or DLQ) where the event was acknowledged: how it ended (domain/delivery/outcome.ts) |
 * | `{<stream>}:replayed` | set, 30 days | ids of entries that a replay put back: their time bounds are not checked again, their mark (domain/delivery/replayed.ts) is believed |
 *
 * `{<stream>}` is the stream's own name where it carries a hash tag, else the name in braces, so that a key always
 * shares the stream's hash slot.
 */
import { Context, type Effect, type Scope } from "effect"
import type { TurnAnswer, TurnAsked } from "../domain/alerts/turn.ts"
import type { FlatFields } from "../domain/events/entry.ts"
import type { Rate } from "../domain/traffic/rate.ts"
import type { EventStreamsError } from "./EventStreamsError.ts"

/** A consumer of a group: who reads, and in whose name entries are pending. */
export interface Consumer {
  readonly group: string
  readonly name: string
}

/** A command as it would be sent, its key among the words (a subcommand is a word of its own). */
export interface Permission {
  readonly words: ReadonlyArray<string>
  readonly key: string
}

export interface StreamEntry {
  readonly id: string
  readonly fields: FlatFields
}

/** A pending entry: its id and how often it was handed out. */
export interface PendingEntry {
  readonly id: string
  readonly deliveries: number
}

/** Who holds a pending entry. */
export interface Holding {
  readonly consumer: string
  /** Milliseconds since it was handed out or last kept alive. */
  readonly idle: number
  readonly deliveries: number
}

export interface StreamInfo {
  readonly length: number
  readonly firstId: string | undefined
  readonly lastGeneratedId: string
  readonly entriesAdded: number
  /** How many consumer groups it has. */
  readonly groups: number
}

export interface GroupInfo {
  readonly lastDeliveredId: string
  readonly pending: number
  readonly consumers: number
  /** Undefined where Redis cannot tell (NULL). */
  readonly lag: number | undefined
  readonly entriesRead: number | undefined
}

export interface ConsumerInfo {
  readonly name: string
  readonly pending: number
  /** Milliseconds since it last tried to read. */
  readonly idle: number
}

/** Reads one stream, over a connection of its own where the driver has one to give. */
export interface StreamReader {
  /** Whether it has a connection of its own, on which a read may wait: whoever has none looks in now and then. */
  readonly canWait: () => boolean
  /**
   * New entries (XREADGROUP `>`), at most `count`; waits up to `blockMs` for the first where that is above 0, if it can.
   * The answer is lost with the connection: after an error, read the own pending entries again.
   */
  readonly readNew: (
    stream: string,
    consumer: Consumer,
    count: number,
    blockMs: number
  ) => Effect.Effect<ReadonlyArray<StreamEntry>, EventStreamsError>
}

export interface Move {
  readonly from: string
  readonly to: string
  readonly consumer: Consumer
  readonly id: string
  /** Whether the old entry is deleted as well as acknowledged. */
  readonly remove: boolean
  readonly fields: FlatFields
}

/** A delivered event's entry, and the outcome that is kept of it. */
export interface Ended {
  readonly id: string
  readonly eventId: string
  readonly outcome: string
}

/** What a replica says of itself, and has counted since it last did. */
export interface ReplicaReport {
  readonly figures: string
  /** For how long they stand. */
  readonly ttlMs: number
  /** The hour that it was counted in (domain/replicas/minutes.ts). */
  readonly hour: string
  readonly counts: ReadonlyArray<readonly [field: string, count: number]>
}

/** What became of taking up an owned entry. */
export type Taken =
  | { readonly _tag: "NotOwned" }
  | { readonly _tag: "Deleted" }
  | { readonly _tag: "Taken"; readonly deliveries: number; readonly fields: FlatFields }

/**
 * What became of taking an entry out of the DLQ: `gone` is not there, `settled` was acknowledged and only not deleted, `due` may
 * be worked on.
 */
export type Withdrawn = "done" | "gone" | "settled" | "due"

export class EventStreams extends Context.Service<
  EventStreams,
  {
    readonly ping: Effect.Effect<void, EventStreamsError>
    /** What the server says of itself (INFO), by name; in a Cluster that of any one node. */
    readonly serverInfo: Effect.Effect<ReadonlyMap<string, string>, EventStreamsError>
    /** Which of these commands the user may not run. Asked in one call, whatever slots the keys lie in. */
    readonly missingPermissions: (
      permissions: ReadonlyArray<Permission>
    ) => Effect.Effect<ReadonlyArray<Permission>, EventStreamsError>
    /**
     * Opens a reader; the scope gives its connection back. Where the driver's pool has none to give at once, it reads over
     * the shared connection, and goes on waiting for one of its own.
     */
    readonly reader: Effect.Effect<StreamReader, EventStreamsError, Scope.Scope>
    /** XGROUP CREATE … MKSTREAM: false where the group exists. */
    readonly createGroup: (stream: string, group: string, startId: string) => Effect.Effect<boolean, EventStreamsError>
    /** Keeps the id that a group was created at; Redis itself forgets it with the first read. */
    readonly keepGroupStart: (stream: string, group: string, id: string) => Effect.Effect<void, EventStreamsError>
    /** The id that a group was created at, where it was kept. */
    readonly groupStart: (stream: string, group: string) => Effect.Effect<string | undefined, EventStreamsError>
    /** XACK: how many were pending. */
    readonly acknowledge: (
      stream: string,
      group: string,
      ids: ReadonlyArray<string>
    ) => Effect.Effect<number, EventStreamsError>
    /** As `acknowledge`, or with `remove` as `finish`, and keeps the outcomes for `ttlMs`, in the same step. */
    readonly conclude: (
      stream: string,
      group: string,
      ended: ReadonlyArray<Ended>,
      remove: boolean,
      ttlMs: number
    ) => Effect.Effect<number, EventStreamsError>
    /** The outcome of an event that was acknowledged in a stream, as it was kept. */
    readonly outcome: (stream: string, eventId: string) => Effect.Effect<string | undefined, EventStreamsError>
    /** XACK and XDEL in one step: how many were pending. */
    readonly finish: (
      stream: string,
      group: string,
      ids: ReadonlyArray<string>
    ) => Effect.Effect<number, EventStreamsError>
    /** Moves an owned entry to another stream in one step; false (and nothing changed) where it is not owned. */
    readonly move: (move: Move) => Effect.Effect<boolean, EventStreamsError>
    /** Keep-alive of owned entries: ids not owned any more, and ids Redis no longer has. */
    readonly renew: (
      stream: string,
      consumer: Consumer,
      ids: ReadonlyArray<string>
    ) => Effect.Effect<
      { readonly lost: ReadonlyArray<string>; readonly deleted: ReadonlyArray<string> },
      EventStreamsError
    >
    /**
     * Makes entries pending for this consumer again after their group was lost, unless another has them by now: those
     * that the stream no longer has.
     */
    readonly adopt: (
      stream: string,
      consumer: Consumer,
      entries: ReadonlyArray<PendingEntry>
    ) => Effect.Effect<ReadonlyArray<string>, EventStreamsError>
    /** Takes up an owned entry for work, as its hand-out of this number if one is to be counted. */
    readonly take: (
      stream: string,
      consumer: Consumer,
      id: string,
      handOut: number | undefined
    ) => Effect.Effect<Taken, EventStreamsError>
    /** Gives owned entries up, idle for `idleMs` from now on: how many were owned. */
    readonly release: (
      stream: string,
      consumer: Consumer,
      idleMs: number,
      entries: ReadonlyArray<PendingEntry>
    ) => Effect.Effect<number, EventStreamsError>
    /** The consumer's own pending entries after an id (`-` for the first), in order of id. */
    readonly pendingOf: (
      stream: string,
      consumer: Consumer,
      after: string,
      count: number
    ) => Effect.Effect<ReadonlyArray<PendingEntry>, EventStreamsError>
    /** A consumer's first pending entries that are idle for `minIdleMs`: their ids. */
    readonly idleOf: (
      stream: string,
      consumer: Consumer,
      minIdleMs: number,
      count: number
    ) => Effect.Effect<ReadonlyArray<string>, EventStreamsError>
    /** Who holds an entry of a group; undefined where it is not pending, or there is no such group. */
    readonly holding: (
      stream: string,
      group: string,
      id: string
    ) => Effect.Effect<Holding | undefined, EventStreamsError>
    /** Takes over entries idle for `minIdleMs`, from a cursor on (XAUTOCLAIM … JUSTID: delivery counts stay). */
    readonly claimIdle: (
      stream: string,
      consumer: Consumer,
      minIdleMs: number,
      cursor: string,
      count: number
    ) => Effect.Effect<
      { readonly cursor: string; readonly ids: ReadonlyArray<string>; readonly deleted: ReadonlyArray<string> },
      EventStreamsError
    >
    /** Undefined where there is no such stream. */
    readonly streamInfo: (stream: string) => Effect.Effect<StreamInfo | undefined, EventStreamsError>
    /** Undefined where there is no such stream or group. */
    readonly groupInfo: (stream: string, group: string) => Effect.Effect<GroupInfo | undefined, EventStreamsError>
    /** The names of a stream's groups; none where there is no such stream. */
    readonly groupNames: (stream: string) => Effect.Effect<ReadonlyArray<string>, EventStreamsError>
    readonly consumers: (stream: string, group: string) => Effect.Effect<ReadonlyArray<ConsumerInfo>, EventStreamsError>
    /**
     * How many milliseconds the longest idle of the group's pending entries is idle, of those idle for `minIdleMs` (of
     * the first hundred, where they are more); 0 where none is.
     */
    readonly longestIdle: (stream: string, group: string, minIdleMs: number) => Effect.Effect<number, EventStreamsError>
    /** Removes a consumer without pending entries that has been idle for a while; false where it was left alone. */
    readonly retireConsumer: (
      stream: string,
      consumer: Consumer,
      idleMs: number
    ) => Effect.Effect<boolean, EventStreamsError>
    /** Takes a lease, or prolongs it; false where another token holds it. */
    readonly renewLease: (
      stream: string,
      consumer: Consumer,
      token: string,
      ttlMs: number
    ) => Effect.Effect<boolean, EventStreamsError>
    /** Whether a process holds the lease of a consumer's name. */
    readonly isLeased: (stream: string, consumer: Consumer) => Effect.Effect<boolean, EventStreamsError>
    /** Claims a stream for a group, or renews its claim; false where another group has claimed it. */
    readonly claimStream: (stream: string, group: string, ttlMs: number) => Effect.Effect<boolean, EventStreamsError>
    /** The group that has claimed a stream. */
    readonly streamOwner: (stream: string) => Effect.Effect<string | undefined, EventStreamsError>
    readonly releaseLease: (stream: string, consumer: Consumer, token: string) => Effect.Effect<void, EventStreamsError>
    /** Trims what every group has acknowledged, and of that only what is before `floorId` where given: how many. */
    readonly trim: (stream: string, floorId: string | undefined) => Effect.Effect<number, EventStreamsError>
    /** Entries in order of id, both ends inclusive (`(` before an id excludes it). */
    readonly range: (
      stream: string,
      from: string,
      to: string,
      count: number
    ) => Effect.Effect<ReadonlyArray<StreamEntry>, EventStreamsError>
    /** The last entries, of all or within bounds as those of `range`, the latest first (XREVRANGE). */
    readonly latest: (
      stream: string,
      count: number,
      bounds?: { readonly from: string; readonly to: string }
    ) => Effect.Effect<ReadonlyArray<StreamEntry>, EventStreamsError>
    /** XDEL: how many there were. */
    readonly remove: (stream: string, ids: ReadonlyArray<string>) => Effect.Effect<number, EventStreamsError>
    /** Puts an abandoned event back at its origin stream's end; undefined where the abandoned entry is gone. */
    readonly replay: (
      abandonedStream: string,
      abandonedId: string,
      originStream: string,
      fields: FlatFields
    ) => Effect.Effect<string | undefined, EventStreamsError>
    /**
     * Takes an entry out of the DLQ, whoever holds it; with a copy that goes to its end instead, only where nobody may be
     * working on it by `until` (epoch milliseconds, by Redis's clock).
     */
    readonly withdraw: (
      dlq: string,
      group: string,
      id: string,
      copy?: { readonly fields: FlatFields; readonly until: number }
    ) => Effect.Effect<Withdrawn, EventStreamsError>
    /** Adds an entry to a stream: its id. */
    readonly add: (stream: string, fields: FlatFields) => Effect.Effect<string, EventStreamsError>
    /** The pending entries of a group between two ids, both inclusive (`(` before an id excludes it), whoever holds them. */
    readonly pendingIds: (
      stream: string,
      group: string,
      from: string,
      to: string,
      count: number
    ) => Effect.Effect<ReadonlyArray<string>, EventStreamsError>
    /** Whether a replay put this entry where it stands. */
    readonly isReplayed: (stream: string, id: string) => Effect.Effect<boolean, EventStreamsError>
    /** The traffic rules of a group, as they stand beside a stream. */
    readonly rules: (stream: string, group: string) => Effect.Effect<string | undefined, EventStreamsError>
    /** Puts other rules in the place of those read before; false, and nothing changed, where they are no longer those. */
    readonly swapRules: (
      stream: string,
      group: string,
      before: string | undefined,
      after: string
    ) => Effect.Effect<boolean, EventStreamsError>
    /**
     * Takes a batch of the tokens that a group's deliveries share, or those of a stream's kind, of a bucket that holds one batch
     * at most: in how many milliseconds it may be spent.
     */
    readonly reserveTokens: (
      stream: string,
      group: string,
      batch: number,
      rate: Rate,
      of?: "kind"
    ) => Effect.Effect<number, EventStreamsError>
    /** Leaves a replica's figures for a while, and adds to the counts of an hour, in one step. Sent again it counts again. */
    readonly report: (
      stream: string,
      consumer: Consumer,
      report: ReplicaReport
    ) => Effect.Effect<void, EventStreamsError>
    /** The figures of a group's replicas, as they stand now. */
    readonly replicas: (stream: string, group: string) => Effect.Effect<ReadonlyArray<string>, EventStreamsError>
    /** What a group's replicas counted in an hour, by field. */
    readonly countsOf: (
      stream: string,
      group: string,
      hour: string
    ) => Effect.Effect<ReadonlyMap<string, number>, EventStreamsError>
    /** Whether it is this replica's turn to tell of something, by what all of its group's replicas told and saw. */
    readonly takeTurn: (
      stream: string,
      group: string,
      kind: string,
      ask: TurnAsked
    ) => Effect.Effect<TurnAnswer, EventStreamsError>
    /** Adds to the audit beside a stream, which forgets its oldest entries. */
    readonly addToAudit: (stream: string, fields: FlatFields) => Effect.Effect<void, EventStreamsError>
  }
>()("job-collector/services/EventStreams") {}

/** The key of a consumer name's lease, beside a stream. */
export const leaseKey = (stream: string, { group, name }: Consumer): string =>
  companionKey(stream, `lease:${group}:${name}`)

/** The key of the tokens of the kind whose stream it is, beside it. */
export const kindRateKey = (stream: string, group: string): string => companionKey(stream, `kind-rate:${group}`)

/** The key of the tokens that a group's deliveries share, beside a stream. */
export const rateKey = (stream: string, group: string): string => companionKey(stream, `rate:${group}`)

/** The key of a group's traffic rules, beside a stream. */
export const rulesKey = (stream: string, group: string): string => companionKey(stream, `rules:${group}`)

/** The key of a replica's figures, beside a stream. */
export const replicaKey = (stream: string, { group, name }: Consumer): string =>
  companionKey(stream, `replica:${group}:${name}`)

/** The key of a group's replicas, beside a stream. */
export const replicasKey = (stream: string, group: string): string => companionKey(stream, `replicas:${group}`)

/** The key of what a group's replicas counted in an hour, beside a stream. */
export const minutesKey = (stream: string, group: string, hour: string): string =>
  companionKey(stream, `minutes:${group}:${hour}`)

/** The key of whose turn it is to tell of something, beside a stream. */
export const turnKey = (stream: string, group: string, kind: string): string =>
  companionKey(stream, `turn:${group}:${kind}`)

/** The key of the audit, beside a stream. */
export const auditKey = (stream: string): string => companionKey(stream, "audit")

/** The key of an event's outcome, beside the stream in which it was acknowledged. */
export const outcomeKey = (stream: string, eventId: string): string => companionKey(stream, `outcome:${eventId}`)

/** A key that belongs to a stream and shares its hash slot. */
export const companionKey = (stream: string, suffix: string): string =>
  /\{[^}]+\}/.test(stream) ? `${stream}:${suffix}` : `{${stream}}:${suffix}`
