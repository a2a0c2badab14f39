/** Changes of the configuration in the audit: those of the commands and the service's own (contract section 8, Audit). */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { configCommand } from "../../src/cli/configCommands.ts"
import { auditRecordOf } from "../../src/domain/audit/auditRecord.ts"
import { JobCollector } from "../../src/JobCollector.ts"
import { LeanHttpResponse } from "../../src/layers/http/LeanHttpResponse.ts"
import * as MemoryRedis from "../../src/layers/redis/memory/MemoryRedis.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { Redis } from "../../src/services/Redis.ts"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"
import { SimulatedDisk } from "../../src/testing/SimulatedDisk.ts"
import { patientClock } from "../support/patient-clock.ts"
import { transcribe } from "../support/streams.ts"
import { testPrivateKey, travel } from "../support/time-machine.ts"
import { bodyOf, bundleOf } from "./support/bundles.ts"
import { World } from "./support/world.ts"

const run = (world: World, ...args: ReadonlyArray<string>) =>
  world.inAnother(Effect.provide(Command.runWith(configCommand, { version: "1" })(args), NodeServices.layer))

describe("the audit of the configuration", () => {
  it.effect("has what commands change, who and why, and what the service does by itself", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* world.start()
      for (const version of [41, 42]) {
        world.api.serve(bundleOf(version))
        yield* sync.tick
        yield* sync.tick
        yield* TestClock.adjust("1 minute")
      }
      world.edit("limits.conf", (text) => text.replace("600", "100"), 1)
      yield* sync.tick
      const who = ["--as", "anna", "--why", "too dear"] as const
      yield* run(world, "hold", "30 minutes", ...who)
      yield* run(world, "hold", "--off")
      yield* run(world, "rollback", ...who)
      yield* run(world, "accept", "42", ...who)
      yield* run(world, "show")
      const anna = { as: "anna", why: "too dear" }
      const nobody = { as: undefined, why: undefined }
      assert.deepStrictEqual(world.changes, [
        { action: "config changed", target: "version 0 → 41" },
        { action: "config changed", target: "version 41 → 42" },
        { action: "config repaired", target: "version 42" },
        { action: "config hold", target: "until 1970-01-01T00:32:00.000Z", ...anna },
        { action: "config hold --off", target: undefined, ...nobody },
        { action: "config rollback", target: "version 42 → 41", ...anna },
        { action: "config accept", target: "version 42", ...anna }
      ])
    })
  )

  /** A collector with configuration sync; the API serves version 7. */
  const collector = Effect.gen(function* () {
    const api = HttpClient.make((request) =>
      Effect.succeed(new LeanHttpResponse(request, request.url, 200, {}, bodyOf(bundleOf(7))))
    )
    const configSync = { interval: Duration.minutes(1), directory: "/config", drift: "repair" as const }
    yield* Layer.build(
      JobCollector.layer({ apiBaseUrl: "http://api.test", consumerName: "c-1", configSync }).pipe(
        Layer.provide([
          Layer.succeed(HttpClient.HttpClient, api),
          NativeSigner.layer(testPrivateKey),
          MemoryFileSystem.layerDisk(new SimulatedDisk())
        ])
      )
    )
    yield* travel(5_000)
    const redis = yield* Redis
    return yield* redis.send<ReadonlyArray<readonly [string, ReadonlyArray<string>]>>(
      "XRANGE",
      `{${transcribe}}:audit`,
      "-",
      "+"
    )
  }).pipe(Effect.scoped, Effect.provide(patientClock))

  it.effect("stands in Redis, the service's changes under its consumer name", () =>
    Effect.gen(function* () {
      const [[, fields = []] = []] = yield* collector
      const record = auditRecordOf(fields)
      assert.deepInclude(record, { who: "c-1 (the service)", action: "config changed", target: "version 0 → 7" })
    }).pipe(Effect.provide(MemoryRedis.layer))
  )
})
