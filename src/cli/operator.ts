/** What the operator's commands on Redis share: settings and connection. */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import { builtInAlone, type HostKinds } from "../domain/events/hostKinds.ts"
import { type KnownStreams, knownStreams } from "../domain/options/knownStreams.ts"
import { printable } from "../domain/text/printable.ts"
import * as EventStreamsLayer from "../layers/redis/EventStreams.ts"
import * as IoRedis from "../layers/redis/ioredis/IoRedis.ts"
import * as Environment from "../layers/settings/Environment.ts"
import { EventStreams } from "../services/EventStreams.ts"
import { EventStreamsError } from "../services/EventStreamsError.ts"
import type { Redis, RedisError } from "../services/Redis.ts"
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
  readonly sets: ReadonlyArray<KnownStreams>
  readonly group: string
}

/** How a command reaches the server that its settings name; a simulated world has a way of its own. */
export const ServerRedis = Context.Reference<(options: IoRedis.IoRedisOptions) => Layer.Layer<Redis, RedisError>>(
  "job-collector/cli/ServerRedis",
  { defaultValue: () => IoRedis.layer }
)

/** The kinds whose events a command tells of, and puts back: a host app's command line has its own. */
export const CommandKinds = Context.Reference<HostKinds>("job-collector/cli/CommandKinds", {
  defaultValue: () => builtInAlone
})

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
    const sets = knownStreams({ ...streams, ...(yield* CommandKinds) })
    if (redis._tag === "Memory") {
      return yield* new Environment.SettingsError({ problems: [{ variable: "REDIS_URL", problem: memoryProblem }] })
    }
    const run = Effect.gen(function* () {
      const service = yield* EventStreams
      yield* awaitAnswer(service)
      return yield* command({ streams: service, sets, group: streams.consumerGroup })
    })
    return yield* Effect.provide(run, redisLayer(redis.options))
  }).pipe(
    Effect.mapError((error) =>
      error instanceof EventStreamsError ? new RedisUnusable({ problem: error.message }) : error
    )
  )
