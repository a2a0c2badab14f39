import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Redacted } from "effect"
import { JobCollector, layerIoRedis, layerLeanHttpClient, layerNativeSigner } from "job-collector"

/**
 * Runs a migration of the API while no replica delivers anything. Events wait in Redis, no attempt is counted, and
 * deliveries go on afterwards, whatever became of the migration; after half an hour they go on by themselves.
 */
export const whilePaused = <A, E, R>(migration: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const collector = yield* JobCollector
    return yield* Effect.acquireUseRelease(
      collector.pause({ duration: "30 minutes", why: "migration of the API" }),
      // Every replica has heard of the pause within two seconds, and what it has sent by then takes ten at most.
      () => Effect.delay(migration, "12 seconds"),
      () => Effect.ignore(collector.resume({ why: "the migration has ended" }))
    )
  })

export const main = (settings: { redisUrl: string; apiBaseUrl: string; privateKey: string }) =>
  whilePaused(Effect.logInfo("migrating")).pipe(
    Effect.andThen(JobCollector.join),
    Effect.provide(JobCollector.layer({ apiBaseUrl: settings.apiBaseUrl, apiTimeout: "10 seconds" })),
    Effect.provide([
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      layerNativeSigner(Redacted.make(settings.privateKey))
    ]),
    NodeRuntime.runMain
  )
