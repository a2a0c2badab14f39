import { Effect, Layer, Result, Schema } from "effect"
import type { FlatFields } from "../../domain/events/entry.ts"
import {
  auditKey,
  type Consumer,
  companionKey,
  EventStreams,
  leaseKey,
  type Move,
  outcomeKey,
  rateKey,
  rulesKey,
  type StreamEntry,
  type Taken
} from "../../services/EventStreams.ts"
import { EventStreamsError, Other } from "../../services/EventStreamsError.ts"
import { Redis, type RedisError } from "../../services/Redis.ts"
import * as Scripts from "../../services/Scripts.ts"
import { classify } from "./classify.ts"

/** An entry's id and fields; nil where it was deleted while it was pending. */
type Entries = ReadonlyArray<readonly [string, FlatFields | null]>
type ReadReply = ReadonlyArray<readonly [string, Entries]>
const Ids = Schema.Array(Schema.String)
const Pending = Schema.Array(Schema.Tuple([Schema.String, Schema.String, Schema.Finite, Schema.Finite]))

const unexpected = (command: string) =>
  new EventStreamsError({ reason: new Other({ message: `Unexpected reply to ${command}` }) })

/** Reads a reply by its schema; a reply of another shape is an error of the driver or server, never a defect. */
const readReply = <A>(schema: Schema.Codec<A, A>, command: string) => {
  const decode = Schema.decodeUnknownResult(schema)
  return (reply: unknown): Effect.Effect<A, EventStreamsError> =>
    Effect.fromResult(Result.mapError(decode(reply), () => unexpected(command)))
}

const isPair = (value: unknown): value is readonly [unknown, unknown] => Array.isArray(value) && value.length === 2

const isFlat = (reply: unknown): reply is ReadonlyArray<unknown> => Array.isArray(reply)
const isFlats = (reply: unknown): reply is ReadonlyArray<ReadonlyArray<unknown>> => isFlat(reply) && reply.every(isFlat)
const isTexts = (reply: unknown): reply is ReadonlyArray<string> =>
  isFlat(reply) && reply.every((text) => typeof text === "string")

const isEntry = (value: unknown): boolean =>
  isPair(value) && typeof value[0] === "string" && (value[1] === null || isTexts(value[1]))
const isEntries = (reply: unknown): reply is Entries => isFlat(reply) && reply.every(isEntry)

const isReadReply = (reply: unknown): reply is ReadReply =>
  isFlat(reply) && reply.every((read) => isPair(read) && typeof read[0] === "string" && isEntries(read[1]))

/** The cursor, the claimed ids and, since Redis 7, the ids of entries that are gone. */
type ClaimReply = readonly [string, ReadonlyArray<string>, ReadonlyArray<string>?]

const isClaimed = (reply: unknown): reply is ClaimReply =>
  isFlat(reply) && typeof reply[0] === "string" && isTexts(reply[1]) && (reply.length === 2 || isTexts(reply[2]))

/**
 * As {@link readReply}, for what every event comes by or an idle process asks for again and again: the reply is looked
 * through as it stands, where a schema would copy it text by text.
 */
const readIf =
  <A>(fits: (reply: unknown) => reply is A, command: string) =>
  (reply: unknown): Effect.Effect<A, EventStreamsError> =>
    fits(reply) ? Effect.succeed(reply) : Effect.fail(unexpected(command))

const readRead = readIf(isReadReply, "XREADGROUP")
const notOwned = Effect.succeed<Taken>({ _tag: "NotOwned" })
const deletedMeanwhile = Effect.succeed<Taken>({ _tag: "Deleted" })
const noEntries = Effect.succeed<ReadonlyArray<StreamEntry>>([])
const readEntries = readIf(isEntries, "XRANGE")
const readPending = readReply(Pending, "XPENDING")
const readClaimed = readIf(isClaimed, "XAUTOCLAIM")
const readRenewed = readReply(Schema.Tuple([Ids, Ids]), "EVAL renew")
const readTaken = readIf(isFlat, "EVAL take")
const readText = readReply(Schema.String, "INFO")
const readIds = readReply(Ids, "EVAL adopt")
const readNumbers = readReply(Schema.Array(Schema.Finite), "EVAL permissions")
const readInfo = readIf(isFlat, "XINFO")
const readInfos = readIf(isFlats, "XINFO")
const readId = readReply(Schema.NullOr(Schema.String), "EVAL replay")
const readWithdrawn = readReply(Schema.Literals(["done", "gone", "settled", "due"]), "EVAL withdraw")
const readFields = readIf(isTexts, "EVAL take")

const presentEntries = (entries: Entries): ReadonlyArray<StreamEntry> =>
  entries.map(([id, fields]) => ({ id, fields: fields ?? [] }))

/** Redis answers nil where there is nothing new. */
const readNewEntries = (reply: unknown): Effect.Effect<ReadonlyArray<StreamEntry>, EventStreamsError> =>
  reply === null
    ? noEntries
    : Effect.map(readRead(reply), (found) => found.flatMap(([, entries]) => presentEntries(entries)))

const byName = (flat: ReadonlyArray<unknown>): ReadonlyMap<unknown, unknown> => {
  const map = new Map<unknown, unknown>()
  for (let i = 0; i + 1 < flat.length; i += 2) map.set(flat[i], flat[i + 1])
  return map
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)
const countOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined)

/** What a connection of the driver answers, its errors classified: the one way from here to Redis. */
const sendOver =
  (connection: Pick<Redis["Service"], "send">) =>
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, EventStreamsError> =>
    Effect.mapError(connection.send<A>(command, ...args), classify)

const replayedTtlSeconds = 30 * 24 * 60 * 60

/** So many changes the audit remembers at least. */
const auditLength = 10_000

/** {@link EventStreams} over whatever driver gives the `Redis` service. */
export const layer: Layer.Layer<EventStreams, never, Redis> = Layer.effect(
  EventStreams,
  Effect.gen(function* () {
    const redis = yield* Redis
    const send = sendOver(redis)

    const run = (script: Scripts.Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) =>
      send("EVAL", script.lua, String(keys.length), ...keys, ...args)

    const number = (effect: Effect.Effect<unknown, EventStreamsError>): Effect.Effect<number, EventStreamsError> =>
      Effect.map(effect, Number)

    const yes = (effect: Effect.Effect<unknown, EventStreamsError>): Effect.Effect<boolean, EventStreamsError> =>
      Effect.map(effect, (reply) => Number(reply) === 1)

    const pendingRange = (stream: string, consumer: Consumer, from: string, to: string, count: number) =>
      send("XPENDING", stream, consumer.group, from, to, String(count), consumer.name).pipe(Effect.flatMap(readPending))

    const range = (stream: string, from: string, to: string, count: number) =>
      send("XRANGE", stream, from, to, "COUNT", String(count)).pipe(
        Effect.flatMap(readEntries),
        Effect.map(presentEntries)
      )

    const xadd = (stream: string, fields: FlatFields) => send<string>("XADD", stream, "*", ...fields)

    /** An id that no entry has: a command on it changes nothing, and is refused as it would be on another. */
    const noEntry = "0-0"

    // The two streams lie in different slots of a Cluster: no script spans them, so the copy comes first. What comes after
    // it is tried on no entry before, so that a user who may not run it leaves no copy behind.
    const moveAcrossSlots = Effect.fnUntraced(function* ({ consumer, fields, from, id, remove, to }: Move) {
      const owned = yield* pendingRange(from, consumer, id, id, 1)
      if (owned.length === 0) return false
      yield* send("XACK", from, consumer.group, noEntry)
      if (remove) yield* send("XDEL", from, noEntry)
      yield* xadd(to, fields)
      yield* send("XACK", from, consumer.group, id)
      if (remove) yield* send("XDEL", from, id)
      return true
    })

    const replayAcrossSlots = Effect.fnUntraced(function* (
      abandonedStream: string,
      id: string,
      origin: string,
      fields: FlatFields
    ) {
      if ((yield* range(abandonedStream, id, id, 1)).length === 0) return null
      yield* send("XDEL", abandonedStream, noEntry)
      const args = [String(replayedTtlSeconds), ...fields]
      const newId = yield* run(Scripts.putBack, [origin, companionKey(origin, "replayed")], args)
      yield* send("XDEL", abandonedStream, id)
      return newId
    })

    const startKey = (stream: string, group: string) => companionKey(stream, `start:${group}`)

    const groups = (stream: string) =>
      send("XINFO", "GROUPS", stream).pipe(
        Effect.flatMap(readInfos),
        Effect.catchReason("EventStreamsError", "NoGroup", () =>
          Effect.succeed<ReadonlyArray<ReadonlyArray<unknown>>>([])
        )
      )

    return EventStreams.of({
      ping: Effect.asVoid(send("PING")),
      serverInfo: Effect.map(
        send("INFO").pipe(Effect.flatMap(readText)),
        (text) =>
          new Map(
            text.split("\r\n").flatMap((line): ReadonlyArray<readonly [string, string]> => {
              const colon = line.indexOf(":")
              return colon < 0 ? [] : [[line.slice(0, colon), line.slice(colon + 1)]]
            })
          )
      ),
      missingPermissions: (permissions) =>
        run(
          Scripts.permissions,
          [],
          permissions.flatMap(({ words }) => [String(words.length), ...words])
        ).pipe(
          Effect.flatMap(readNumbers),
          Effect.map((denied) => denied.flatMap((at) => permissions[at] ?? []))
        ),
      reader: Effect.map(redis.reserve.pipe(Effect.mapError(classify), Effect.map(sendOver)), (ask) => ({
        readNew: (stream, consumer, count, blockMs) =>
          ask(
            "XREADGROUP",
            "GROUP",
            consumer.group,
            consumer.name,
            "COUNT",
            String(count),
            ...(blockMs > 0 ? ["BLOCK", String(blockMs)] : []),
            "STREAMS",
            stream,
            ">"
          ).pipe(Effect.flatMap(readNewEntries))
      })),
      createGroup: (stream, group, startId) =>
        send("XGROUP", "CREATE", stream, group, startId, "MKSTREAM").pipe(
          Effect.as(true),
          Effect.catchReason("EventStreamsError", "BusyGroup", () => Effect.succeed(false))
        ),
      keepGroupStart: (stream, group, id) => Effect.asVoid(send("SET", startKey(stream, group), id)),
      groupStart: (stream, group) => Effect.map(send("GET", startKey(stream, group)), textOf),
      conclude: (stream, group, ended, remove, ttlMs) =>
        number(
          run(
            Scripts.conclude,
            [stream, ...ended.map(({ eventId }) => outcomeKey(stream, eventId))],
            [group, remove ? "1" : "0", String(ttlMs), ...ended.flatMap(({ id, outcome }) => [id, outcome])]
          )
        ),
      outcome: (stream, eventId) => Effect.map(send("GET", outcomeKey(stream, eventId)), textOf),
      acknowledge: (stream, group, ids) => number(send("XACK", stream, group, ...ids)),
      finish: (stream, group, ids) => number(run(Scripts.finish, [stream], [group, ...ids])),
      move: (move) => {
        const { consumer, fields, from, id, remove, to } = move
        return yes(
          run(Scripts.move, [from, to], [consumer.group, consumer.name, id, remove ? "1" : "0", ...fields])
        ).pipe(Effect.catchReason("EventStreamsError", "CrossSlot", () => moveAcrossSlots(move)))
      },
      renew: (stream, consumer, ids) =>
        run(Scripts.renew, [stream], [consumer.group, consumer.name, ...ids]).pipe(
          Effect.flatMap(readRenewed),
          Effect.map(([lost, deleted]) => ({ lost, deleted }))
        ),
      adopt: (stream, consumer, entries) =>
        run(
          Scripts.adopt,
          [stream],
          [consumer.group, consumer.name, ...entries.flatMap(({ deliveries, id }) => [id, String(deliveries)])]
        ).pipe(Effect.flatMap(readIds)),
      take: (stream, consumer, id, handOut) =>
        run(Scripts.take, [stream], [consumer.group, consumer.name, id, String(handOut ?? 0)]).pipe(
          Effect.flatMap(readTaken),
          Effect.flatMap(([deliveries, fields]): Effect.Effect<Taken, EventStreamsError> => {
            if (deliveries === undefined) return notOwned
            if (fields === undefined) return deletedMeanwhile
            return Effect.map(readFields(fields), (read) => ({
              _tag: "Taken",
              deliveries: Number(deliveries),
              fields: read
            }))
          })
        ),
      release: (stream, consumer, idleMs, entries) =>
        number(
          run(
            Scripts.release,
            [stream],
            [
              consumer.group,
              consumer.name,
              String(idleMs),
              ...entries.flatMap(({ deliveries, id }) => [id, String(deliveries)])
            ]
          )
        ),
      pendingOf: (stream, consumer, after, count) =>
        Effect.map(pendingRange(stream, consumer, after === "-" ? "-" : `(${after}`, "+", count), (pending) =>
          pending.map(([id, , , deliveries]) => ({ id, deliveries }))
        ),
      holding: (stream, group, id) =>
        send("XPENDING", stream, group, id, id, "1").pipe(
          Effect.flatMap(readPending),
          Effect.map(([first]) => {
            if (first === undefined) return undefined
            const [, consumer, idle, deliveries] = first
            return { consumer, idle, deliveries }
          }),
          Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.undefined)
        ),
      claimIdle: (stream, { group, name }, minIdleMs, cursor, count) =>
        send("XAUTOCLAIM", stream, group, name, String(minIdleMs), cursor, "COUNT", String(count), "JUSTID").pipe(
          Effect.flatMap(readClaimed),
          Effect.map(([next, ids, deleted]) => ({ cursor: next, ids, deleted: deleted ?? [] }))
        ),
      streamInfo: (stream) =>
        send("XINFO", "STREAM", stream).pipe(
          Effect.flatMap(readInfo),
          Effect.map((flat) => {
            const info = byName(flat)
            const first = info.get("first-entry")
            return {
              length: countOf(info.get("length")) ?? 0,
              firstId: Array.isArray(first) ? textOf(first[0]) : undefined,
              lastGeneratedId: textOf(info.get("last-generated-id")) ?? "0-0",
              entriesAdded: countOf(info.get("entries-added")) ?? 0,
              groups: countOf(info.get("groups")) ?? 0
            }
          }),
          Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.undefined)
        ),
      groupInfo: (stream, group) =>
        Effect.map(groups(stream), (infos) => {
          const info = infos.map(byName).find((candidate) => candidate.get("name") === group)
          return info === undefined
            ? undefined
            : {
                lastDeliveredId: textOf(info.get("last-delivered-id")) ?? "0-0",
                pending: countOf(info.get("pending")) ?? 0,
                consumers: countOf(info.get("consumers")) ?? 0,
                lag: countOf(info.get("lag")),
                entriesRead: countOf(info.get("entries-read"))
              }
        }),
      groupNames: (stream) =>
        Effect.map(groups(stream), (infos) => infos.flatMap((flat) => textOf(byName(flat).get("name")) ?? [])),
      consumers: (stream, group) =>
        send("XINFO", "CONSUMERS", stream, group).pipe(
          Effect.flatMap(readInfos),
          Effect.map((infos) =>
            infos.map(byName).map((info) => ({
              name: textOf(info.get("name")) ?? "",
              pending: countOf(info.get("pending")) ?? 0,
              idle: countOf(info.get("idle")) ?? 0
            }))
          )
        ),
      longestIdle: (stream, group, minIdleMs) =>
        send("XPENDING", stream, group, "IDLE", String(minIdleMs), "-", "+", "100").pipe(
          Effect.flatMap(readPending),
          Effect.map((pending) => pending.reduce((longest, [, , idle]) => Math.max(longest, idle), 0))
        ),
      retireConsumer: (stream, { group, name }, idleMs) =>
        yes(run(Scripts.retire, [stream], [group, name, String(idleMs)])),
      renewLease: (stream, consumer, token, ttlMs) =>
        yes(run(Scripts.lease, [leaseKey(stream, consumer)], [token, String(ttlMs)])),
      claimStream: (stream, group, ttlMs) =>
        yes(run(Scripts.lease, [companionKey(stream, "owner")], [group, String(ttlMs)])),
      streamOwner: (stream) => Effect.map(send("GET", companionKey(stream, "owner")), textOf),
      releaseLease: (stream, consumer, token) =>
        Effect.asVoid(run(Scripts.unlease, [leaseKey(stream, consumer)], [token])),
      trim: (stream, floorId) => number(run(Scripts.trim, [stream], [floorId ?? ""])),
      range,
      latest: (stream, count, { from, to } = { from: "-", to: "+" }) =>
        send("XREVRANGE", stream, to, from, "COUNT", String(count)).pipe(
          Effect.flatMap(readEntries),
          Effect.map(presentEntries)
        ),
      remove: (stream, ids) => number(send("XDEL", stream, ...ids)),
      replay: (abandonedStream, abandonedId, originStream, fields) =>
        run(
          Scripts.replay,
          [abandonedStream, originStream, companionKey(originStream, "replayed")],
          [abandonedId, String(replayedTtlSeconds), ...fields]
        ).pipe(
          Effect.catchReason("EventStreamsError", "CrossSlot", () =>
            replayAcrossSlots(abandonedStream, abandonedId, originStream, fields)
          ),
          Effect.flatMap(readId),
          Effect.map((id) => id ?? undefined)
        ),
      withdraw: (dlq, group, id, copy) =>
        run(
          Scripts.withdraw,
          [dlq],
          [group, id, ...(copy === undefined ? [] : [String(copy.until), ...copy.fields])]
        ).pipe(Effect.flatMap(readWithdrawn)),
      add: xadd,
      pendingIds: (stream, group, from, to, count) =>
        send("XPENDING", stream, group, from, to, String(count)).pipe(
          Effect.flatMap(readPending),
          Effect.map((pending) => pending.map(([id]) => id)),
          Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.succeed([]))
        ),
      isReplayed: (stream, id) => yes(send("SISMEMBER", companionKey(stream, "replayed"), id)),
      rules: (stream, group) => Effect.map(send("GET", rulesKey(stream, group)), textOf),
      swapRules: (stream, group, before, after) =>
        yes(run(Scripts.swap, [rulesKey(stream, group)], [before ?? "", after])),
      reserveTokens: (stream, group, batch, { count, perMs }) => {
        const microsEach = (perMs * 1_000) / count
        const args = [batch, microsEach, batch].map(String)
        return Effect.map(number(run(Scripts.reserve, [rateKey(stream, group)], args)), (micros) => micros / 1_000)
      },
      addToAudit: (stream, fields) =>
        Effect.asVoid(send("XADD", auditKey(stream), "MAXLEN", "~", String(auditLength), "*", ...fields))
    })
  })
)

/** {@link layer} over a driver that may itself fail for what it was given. */
export const layerOver = (redis: Layer.Layer<Redis, RedisError>): Layer.Layer<EventStreams, EventStreamsError> =>
  Layer.provide(layer, redis).pipe(Layer.catch((error) => Layer.effect(EventStreams, Effect.fail(classify(error)))))
