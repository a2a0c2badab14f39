/** What the operator's commands on Redis share: settings, connection, and the flags that select entries. */
import { Clock, Context, Duration, Effect, Layer, Option, Schedule, Schema } from "effect"
import { Flag } from "effect/cli"
import type { StreamSet } from "../domain/options/options.ts"
import { printable } from "../domain/text/printable.ts"
import * as EventStreamsLayer from "../layers/redis/EventStreams.ts"
import * as IoRedis from "../layers/redis/ioredis/IoRedis.ts"
import * as Environment from "../layers/settings/Environment.ts"
import type { Bounds } from "../programs/operator/redrive.ts"
import { EventStreams } from "../services/EventStreams.ts"
import { EventStreamsError } from "../services/EventStreamsError.ts"
import type { Redis, RedisError } from "../services/Redis.ts"
import { CountFlag, DurationFlag, TextFlag } from "./flags.ts"
import { printAside } from "./output.ts"

/** Redis cannot be asked, or refuses. */
export class RedisUnusable extends Schema.TaggedError<RedisUnusable>()("RedisUnusable", { problem: Schema.String }) {
  override get message(): string {
    const problem = printable(this.problem)
    return problem.startsWith("Redis ") ? problem : `Redis: ${problem}`
  }
}

/** Arguments that cannot be meant, or that name what is not there. */
export class Misused extends Schema.TaggedError<Misused>()("Misused", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}

/** Says why a command cannot use the engine that lives in the service's own process. */
export const memoryProblem =
  "memory: exists only inside the service's process; this command needs redis:// or rediss://"

/** Waits up to five seconds for the first answer; a refusal is final. */
export const awaitAnswer = (streams: EventStreams["Service"]): Effect.Effect<void, EventStreamsError> =>
  Effect.retry(streams.ping, {
    schedule: Schedule.max([Schedule.spaced("100 millis"), Schedule.recurs(50)]),
    while: (error) => error.reason._tag !== "Refused"
  })

export interface Operated {
  readonly streams: EventStreams["Service"]
  readonly sets: ReadonlyArray<StreamSet>
  readonly group: string
}

/** How a command reaches the server that its settings name; a simulated world has a way of its own. */
export const ServerRedis = Context.Reference<(options: IoRedis.IoRedisOptions) => Layer.Layer<Redis, RedisError>>(
  "job-collector/cli/ServerRedis",
  { defaultValue: () => IoRedis.layer }
)

/** The layer of a server's Redis, from its settings. */
export const redisLayer = (options: IoRedis.IoRedisOptions): Layer.Layer<EventStreams, EventStreamsError> =>
  EventStreamsLayer.layerOver(Layer.unwrap(Effect.map(ServerRedis, (make) => make(options))))

/** All that a command on Redis needs: `REDIS_*`, `STREAM_*` and `CONSUMER_GROUP`. */
export const redisSettings = Environment.all({ redis: Environment.redis, streams: Environment.streams })

/** Runs a command on Redis with only the settings that it needs. (Effect.fnUntraced would not infer the command's types.) */
export const operating = <A, E, R>(command: (operated: Operated) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { settings, warnings } = yield* Environment.load(redisSettings)
    yield* Effect.forEach(warnings, (warning) => printAside(`warning: ${warning}`), { discard: true })
    const { redis, streams } = settings
    if (redis._tag === "Memory") {
      return yield* new Environment.SettingsError({ problems: [{ variable: "REDIS_URL", problem: memoryProblem }] })
    }
    const run = Effect.gen(function* () {
      const service = yield* EventStreams
      yield* awaitAnswer(service)
      return yield* command({ streams: service, sets: streams.streams, group: streams.consumerGroup })
    })
    return yield* Effect.provide(run, redisLayer(redis.options))
  }).pipe(
    Effect.mapError((error) =>
      error instanceof EventStreamsError ? new RedisUnusable({ problem: error.message }) : error
    )
  )

export const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Show what would be done without doing it"),
  Flag.withDefault(false)
)

const age = (name: string, description: string) =>
  DurationFlag(name, description).pipe(Flag.optional, Flag.map(Option.getOrUndefined))

/** Filters by origin and age. */
export const filters = {
  stream: TextFlag("stream", "Only events from this stream: transcribe, process, dlq or a stream's key"),
  olderThan: age("older-than", 'Only entries older than this, such as 2h or "2 hours"'),
  newerThan: age("newer-than", 'Only entries newer than this, such as 30m or "30 minutes"')
}

export const limit = CountFlag("limit", "Maximum number of entries to show").pipe(
  Flag.withDefault(Number.MAX_SAFE_INTEGER)
)

export interface Filters {
  readonly stream: string | undefined
  readonly olderThan: Duration.Duration | undefined
  readonly newerThan: Duration.Duration | undefined
}

/** Ages as bounds of ids: an entry's id tells when it came to its stream. */
export const boundsOf = ({ newerThan, olderThan }: Filters): Effect.Effect<Bounds> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    from: newerThan === undefined ? undefined : Math.max(0, now - Duration.toMillis(newerThan)),
    to: olderThan === undefined ? undefined : Math.max(0, now - Duration.toMillis(olderThan))
  }))

const roles = ["transcribe", "process", "dlq"] as const

/**
 * The keys that `--stream` names, by role or by key; undefined where it is not given. A key of no role must be a stream
 * that exists: a host app's own kinds have theirs.
 */
export const originsOf = Effect.fnUntraced(function* ({ sets, streams }: Operated, wanted: string | undefined) {
  if (wanted === undefined) return undefined
  const role = roles.find((name) => name === wanted)
  if (role !== undefined) return new Set(sets.map((set) => set[role]))
  const known = sets.flatMap((set) => roles.map((name) => [name, set[name]] as const))
  if (known.some(([, key]) => key === wanted)) return new Set([wanted])
  const isStream = yield* streams.streamInfo(wanted).pipe(
    Effect.map((info) => info !== undefined),
    Effect.catchReason("EventStreamsError", "WrongType", () => Effect.succeed(false))
  )
  if (isStream) return new Set([wanted])
  const names = known.map(([name, key]) => `${name} (${key})`).join(", ")
  return yield* new Misused({ problem: `--stream ${printable(wanted)}: there is no such stream; there are ${names}` })
})
