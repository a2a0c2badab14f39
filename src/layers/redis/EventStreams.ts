import { Cause, Effect, Layer, Option } from "effect"
import type { TurnAnswer } from "../../domain/alerts/turn.ts"
import type { FlatFields } from "../../domain/events/entry.ts"
import {
  auditKey,
  type Consumer,
  companionKey,
  EventStreams,
  kindRateKey,
  leaseKey,
  type Move,
  minutesKey,
  outcomeKey,
  rateKey,
  replicaKey,
  replicasKey,
  rulesKey,
  type StreamEntry,
  type Taken,
  turnKey
} from "../../services/EventStreams.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { Redis, type RedisError } from "../../services/Redis.ts"
import * as Scripts from "../../services/Scripts.ts"
import { classify } from "./classify.ts"
import * as Replies from "./replies.ts"

const notOwned: Taken = { _tag: "NotOwned" }
const deletedMeanwhile: Taken = { _tag: "Deleted" }

const presentEntries = (entries: ReadonlyArray<readonly [string, FlatFields | null]>): ReadonlyArray<StreamEntry> =>
  entries.map(([id, fields]) => ({ id, fields: fields ?? [] }))

const readNewEntries = Replies.readAs("XREADGROUP", Replies.readOfOne)
const readRange = Replies.readAs("XRANGE", Replies.entries)
const readPending = Replies.readAs("XPENDING", Replies.pending)
const readClaimed = Replies.readAs("XAUTOCLAIM", Replies.claimed)
const readInfo = Replies.readAs("INFO", Replies.text)
const readValue = Replies.readAs("GET", Replies.orNil(Replies.text))
const readAdded = Replies.readAs("XADD", Replies.text)
const readAcknowledged = Replies.readAs("XACK", Replies.count)
const readRemoved = Replies.readAs("XDEL", Replies.count)
const readMember = Replies.readAs("SISMEMBER", Replies.count)

const readHash = Replies.readAs("HGETALL", Replies.named)

const readStream = Replies.readAs("XINFO STREAM", Replies.streamInfo)
const readGroups = Replies.readAs("XINFO GROUPS", Replies.listOf(Replies.groupInfo))
const readConsumers = Replies.readAs("XINFO CONSUMERS", Replies.listOf(Replies.consumerInfo))

const scriptReply = <A>(script: Scripts.Script, reading: Replies.Reading<A>) =>
  Replies.readAs(`EVAL ${script.name}`, reading)

const readDenied = scriptReply(Scripts.permissions, Replies.listOf(Replies.count))
const readRenewed = scriptReply(Scripts.renew, Replies.twoLists)
const readAdopted = scriptReply(Scripts.adopt, Replies.texts)
const readTaken = scriptReply(Scripts.take, Replies.taken)
const readWithdrawn = scriptReply(Scripts.withdraw, Replies.oneOf("done", "gone", "settled", "due"))
const readTurn = scriptReply(Scripts.turn, Replies.text)
const readReplayed = scriptReply(Scripts.replay, Replies.orNil(Replies.text))

/** What a connection of the driver answers, its errors classified: the one way from here to Redis. */
const sendOver =
  (connection: Pick<Redis["Service"], "send">) =>
  <A = unknown>(command: string, ...args: ReadonlyArray<string>): Effect.Effect<A, EventStreamsError> =>
    Effect.mapError(connection.send<A>(command, ...args), classify)

const isOne = (reply: number): boolean => reply === 1

const replayedTtlSeconds = 30 * 24 * 60 * 60

/** How long a pool of connections may take to give one: it makes who asks wait without an end where it is used up. */
const poolPatience = "2 seconds"
/** When a reader without a connection of its own asks for one again. */
const poolPause = "30 seconds"

/** So many changes the audit remembers at least. */
const auditLength = 10_000

/** A day, and the hour that is under way. */
const countsTtlMs = 25 * 60 * 60 * 1_000

/** {@link EventStreams} over whatever driver gives the `Redis` service. */
export const layer: Layer.Layer<EventStreams, never, Redis> = Layer.effect(
  EventStreams,
  Effect.gen(function* () {
    const redis = yield* Redis
    const send = sendOver(redis)

    const run = (script: Scripts.Script, keys: ReadonlyArray<string>, args: ReadonlyArray<string>) =>
      send("EVAL", script.lua, String(keys.length), ...keys, ...args)

    const countOf = (script: Scripts.Script) => {
      const read = scriptReply(script, Replies.count)
      return (keys: ReadonlyArray<string>, args: ReadonlyArray<string>) => Effect.flatMap(run(script, keys, args), read)
    }
    const moved = countOf(Scripts.move)
    const concluded = countOf(Scripts.conclude)
    const finished = countOf(Scripts.finish)
    const released = countOf(Scripts.release)
    const retired = countOf(Scripts.retire)
    const leased = countOf(Scripts.lease)
    const trimmed = countOf(Scripts.trim)
    const swapped = countOf(Scripts.swap)
    const reserved = countOf(Scripts.reserve)

    const value = (key: string) => Effect.map(Effect.flatMap(send("GET", key), readValue), (said) => said ?? undefined)

    const hash = (key: string) => Effect.flatMap(send("HGETALL", key), readHash)

    const pendingRange = (stream: string, consumer: Consumer, from: string, to: string, count: number) =>
      send("XPENDING", stream, consumer.group, from, to, String(count), consumer.name).pipe(Effect.flatMap(readPending))

    const range = (stream: string, from: string, to: string, count: number) =>
      send("XRANGE", stream, from, to, "COUNT", String(count)).pipe(
        Effect.flatMap(readRange),
        Effect.map(presentEntries)
      )

    const xadd = (stream: string, fields: FlatFields) => send("XADD", stream, "*", ...fields)

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
        Effect.flatMap(readGroups),
        Effect.catchReason("EventStreamsError", "NoGroup", () =>
          Effect.succeed<Effect.Success<ReturnType<typeof readGroups>>>([])
        )
      )

    /** A connection of one's own; none where the pool has none to give for now. */
    const ownConnection = redis.reserve.pipe(
      Effect.map((connection) => Option.some(sendOver(connection))),
      Effect.timeoutOrElse({ duration: poolPatience, orElse: () => Effect.succeedNone }),
      // Said by a pool that has less patience.
      Effect.catchIf(
        ({ cause }) => Cause.isTimeoutError(cause),
        () => Effect.succeedNone
      ),
      Effect.mapError(classify)
    )

    const reader = Effect.gen(function* () {
      let own = yield* ownConnection
      const askAgain = Effect.map(Effect.delay(Effect.option(ownConnection), poolPause), (given) => {
        own = Option.flatten(given)
      })
      if (Option.isNone(own)) yield* Effect.forkScoped(Effect.repeat(askAgain, { until: () => Option.isSome(own) }))
      return {
        canWait: () => Option.isSome(own),
        readNew: (stream: string, consumer: Consumer, count: number, blockMs: number) => {
          const ask = Option.isSome(own) ? own.value : send
          const block = blockMs > 0 && Option.isSome(own) ? ["BLOCK", String(blockMs)] : []
          const { group, name } = consumer
          return ask("XREADGROUP", "GROUP", group, name, "COUNT", String(count), ...block, "STREAMS", stream, ">").pipe(
            Effect.flatMap(readNewEntries),
            Effect.map(presentEntries)
          )
        }
      }
    })

    return EventStreams.of({
      ping: Effect.asVoid(send("PING")),
      serverInfo: Effect.map(
        send("INFO").pipe(Effect.flatMap(readInfo)),
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
          Effect.flatMap(readDenied),
          Effect.map((denied) => denied.flatMap((at) => permissions[at] ?? []))
        ),
      reader,
      createGroup: (stream, group, startId) =>
        send("XGROUP", "CREATE", stream, group, startId, "MKSTREAM").pipe(
          Effect.as(true),
          Effect.catchReason("EventStreamsError", "BusyGroup", () => Effect.succeed(false))
        ),
      keepGroupStart: (stream, group, id) => Effect.asVoid(send("SET", startKey(stream, group), id)),
      groupStart: (stream, group) => value(startKey(stream, group)),
      conclude: (stream, group, ended, remove, ttlMs) =>
        concluded(
          [stream, ...ended.map(({ eventId }) => outcomeKey(stream, eventId))],
          [group, remove ? "1" : "0", String(ttlMs), ...ended.flatMap(({ id, outcome }) => [id, outcome])]
        ),
      outcome: (stream, eventId) => value(outcomeKey(stream, eventId)),
      acknowledge: (stream, group, ids) => Effect.flatMap(send("XACK", stream, group, ...ids), readAcknowledged),
      finish: (stream, group, ids) => finished([stream], [group, ...ids]),
      move: (move) => {
        const { consumer, fields, from, id, remove, to } = move
        return moved([from, to], [consumer.group, consumer.name, id, remove ? "1" : "0", ...fields]).pipe(
          Effect.map(isOne),
          Effect.catchReason("EventStreamsError", "CrossSlot", () => moveAcrossSlots(move))
        )
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
        ).pipe(Effect.flatMap(readAdopted)),
      take: (stream, consumer, id, handOut) =>
        run(Scripts.take, [stream], [consumer.group, consumer.name, id, String(handOut ?? 0)]).pipe(
          Effect.flatMap(readTaken),
          Effect.map(({ deliveries, fields }): Taken => {
            if (deliveries === undefined) return notOwned
            return fields === undefined ? deletedMeanwhile : { _tag: "Taken", deliveries, fields }
          })
        ),
      release: (stream, consumer, idleMs, entries) =>
        released(
          [stream],
          [
            consumer.group,
            consumer.name,
            String(idleMs),
            ...entries.flatMap(({ deliveries, id }) => [id, String(deliveries)])
          ]
        ),
      pendingOf: (stream, consumer, after, count) =>
        Effect.map(pendingRange(stream, consumer, after === "-" ? "-" : `(${after}`, "+", count), (pending) =>
          pending.map(([id, , , deliveries]) => ({ id, deliveries }))
        ),
      idleOf: (stream, { group, name }, minIdleMs, count) =>
        send("XPENDING", stream, group, "IDLE", String(minIdleMs), "-", "+", String(count), name).pipe(
          Effect.flatMap(readPending),
          Effect.map((pending) => pending.map(([id]) => id))
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
          Effect.flatMap(readClaimed)
        ),
      streamInfo: (stream) =>
        send("XINFO", "STREAM", stream).pipe(
          Effect.flatMap(readStream),
          Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.undefined)
        ),
      groupInfo: (stream, group) => Effect.map(groups(stream), (infos) => infos.find(({ name }) => name === group)),
      groupNames: (stream) => Effect.map(groups(stream), (infos) => infos.map(({ name }) => name)),
      consumers: (stream, group) => Effect.flatMap(send("XINFO", "CONSUMERS", stream, group), readConsumers),
      longestIdle: (stream, group, minIdleMs) =>
        send("XPENDING", stream, group, "IDLE", String(minIdleMs), "-", "+", "100").pipe(
          Effect.flatMap(readPending),
          Effect.map((pending) => pending.reduce((longest, [, , idle]) => Math.max(longest, idle), 0))
        ),
      retireConsumer: (stream, { group, name }, idleMs) =>
        Effect.map(retired([stream], [group, name, String(idleMs)]), isOne),
      renewLease: (stream, consumer, token, ttlMs) =>
        Effect.map(leased([leaseKey(stream, consumer)], [token, String(ttlMs)]), isOne),
      isLeased: (stream, consumer) => Effect.map(value(leaseKey(stream, consumer)), (token) => token !== undefined),
      claimStream: (stream, group, ttlMs) =>
        Effect.map(leased([companionKey(stream, "owner")], [group, String(ttlMs)]), isOne),
      streamOwner: (stream) => value(companionKey(stream, "owner")),
      releaseLease: (stream, consumer, token) =>
        Effect.asVoid(run(Scripts.unlease, [leaseKey(stream, consumer)], [token])),
      trim: (stream, floorId) => trimmed([stream], [floorId ?? ""]),
      range,
      latest: (stream, count, { from, to } = { from: "-", to: "+" }) =>
        send("XREVRANGE", stream, to, from, "COUNT", String(count)).pipe(
          Effect.flatMap(readRange),
          Effect.map(presentEntries)
        ),
      remove: (stream, ids) => Effect.flatMap(send("XDEL", stream, ...ids), readRemoved),
      replay: (abandonedStream, abandonedId, originStream, fields) =>
        run(
          Scripts.replay,
          [abandonedStream, originStream, companionKey(originStream, "replayed")],
          [abandonedId, String(replayedTtlSeconds), ...fields]
        ).pipe(
          Effect.catchReason("EventStreamsError", "CrossSlot", () =>
            replayAcrossSlots(abandonedStream, abandonedId, originStream, fields)
          ),
          Effect.flatMap(readReplayed),
          Effect.map((id) => id ?? undefined)
        ),
      withdraw: (dlq, group, id, copy) =>
        run(
          Scripts.withdraw,
          [dlq],
          [group, id, ...(copy === undefined ? [] : [String(copy.until), ...copy.fields])]
        ).pipe(Effect.flatMap(readWithdrawn)),
      add: (stream, fields) => Effect.flatMap(xadd(stream, fields), readAdded),
      pendingIds: (stream, group, from, to, count) =>
        send("XPENDING", stream, group, from, to, String(count)).pipe(
          Effect.flatMap(readPending),
          Effect.map((pending) => pending.map(([id]) => id)),
          Effect.catchReason("EventStreamsError", "NoGroup", () => Effect.succeed([]))
        ),
      isReplayed: (stream, id) =>
        Effect.map(Effect.flatMap(send("SISMEMBER", companionKey(stream, "replayed"), id), readMember), isOne),
      rules: (stream, group) => value(rulesKey(stream, group)),
      swapRules: (stream, group, before, after) =>
        Effect.map(swapped([rulesKey(stream, group)], [before ?? "", after]), isOne),
      reserveTokens: (stream, group, batch, { count, perMs }, of) => {
        const microsEach = (perMs * 1_000) / count
        const args = [batch, microsEach, batch].map(String)
        const key = of === "kind" ? kindRateKey(stream, group) : rateKey(stream, group)
        return Effect.map(reserved([key], args), (micros) => micros / 1_000)
      },
      report: (stream, consumer, { counts, figures, hour, ttlMs }) => {
        const { group, name } = consumer
        const keys = [replicaKey(stream, consumer), replicasKey(stream, group), minutesKey(stream, group, hour)]
        return Effect.asVoid(
          run(Scripts.report, keys, [name, String(ttlMs), figures, String(countsTtlMs), ...counts.flat().map(String)])
        )
      },
      replicas: (stream, group) =>
        Effect.flatMap(hash(replicasKey(stream, group)), (known) => {
          const each = [...known.keys()].toSorted().map((name) => value(replicaKey(stream, { group, name })))
          return Effect.map(Effect.all(each, { concurrency: "unbounded" }), (found) =>
            found.flatMap((figures) => figures ?? [])
          )
        }),
      countsOf: (stream, group, hour) =>
        Effect.map(
          hash(minutesKey(stream, group, hour)),
          (counts) => new Map([...counts].map(([field, said]) => [field, Replies.count(said) ?? 0]))
        ),
      takeTurn: (stream, group, kind, { count, counted, lastsMs, what, windowMs }) =>
        run(
          Scripts.turn,
          [turnKey(stream, group, kind)],
          [what, ...[count, windowMs, lastsMs, counted ? 1 : 0].map(String)]
        ).pipe(
          Effect.flatMap(readTurn),
          Effect.map((said): TurnAnswer => {
            const [word, number] = said.split(" ")
            if (word === "told") return { _tag: "Told", count: Number(number) }
            return word === "wait" ? { _tag: "Wait", ms: Number(number) } : { _tag: "Same" }
          })
        ),
      addToAudit: (stream, fields) =>
        Effect.asVoid(send("XADD", auditKey(stream), "MAXLEN", "~", String(auditLength), "*", ...fields))
    })
  })
)

/** {@link layer} over a driver that may itself fail for what it was given. */
export const layerOver = (redis: Layer.Layer<Redis, RedisError>): Layer.Layer<EventStreams, EventStreamsError> =>
  Layer.provide(layer, redis).pipe(Layer.catch((error) => Layer.effect(EventStreams, Effect.fail(classify(error)))))
