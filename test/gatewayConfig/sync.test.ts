import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric } from "effect"
import { TestClock } from "effect/testing"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { JobsApiError } from "../../src/services/JobsApi.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { bodyOf, bundleOf, canary } from "./support/bundles.ts"
import { directory } from "./support/machine.ts"
import { World } from "./support/world.ts"

const installed = (world: World) =>
  Effect.gen(function* () {
    const sync = yield* world.start()
    assert.strictEqual(yield* sync.tick, "changed")
    return sync
  })

/** A process that runs version 42 and has told the gateway. */
const running42 = (world: World) => {
  world.api.serve(bundleOf(42))
  return installed(world)
}

describe("configuration sync", () => {
  it.effect("installs the three files, their modes and links, and tells the gateway", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
      const mode = (path: string) => world.disk.at(`${directory}/${path}`).mode & 0o777
      assert.deepStrictEqual(
        ["openai.conf", "models.conf", "limits.conf", "current"].map(mode),
        [0o600, 0o644, 0o644, 0o755]
      )
      const links = [...world.disk.snapshot()].filter(([, text]) => text.startsWith("-> "))
      assert.deepStrictEqual(Object.fromEntries(links), {
        "/config/openai.conf": "-> current/openai.conf",
        "/config/models.conf": "-> current/models.conf",
        "/config/limits.conf": "-> current/limits.conf",
        "/config/current": "-> generations/1"
      })
      assert.strictEqual(world.gateway.reloads, 1)
      assert.strictEqual((yield* sync.status).status, "ok")
      assert.strictEqual((yield* sync.status).version, 42)
    })
  )

  it.effect("says on one line what changed, by path, with no key in it", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      world.api.serve(bundleOf(43))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* sync.tick, "changed")
      const [line] = world.logged("config.changed").slice(-1)
      assert.include(line?.text, "42 → 43")
      assert.include(line?.text, "~ model_configs.gpt-4o.costs.input: 21 → 21.5")
      assert.include(line?.text, "~ openai_keys.primary.key: [redacted] → [redacted]")
      assert.include(line?.text, "1970-01-01T00:01:00.000Z")
      assert.notInclude(world.lines.map(({ text }) => text).join("\n"), canary)
    })
  )

  it.effect("does nothing when nothing changed: no write, no signal, one debug line", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      const { operations } = world.disk
      const before = world.lines.length
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.strictEqual(world.disk.operations, operations)
      assert.strictEqual(world.gateway.reloads, 1)
      assert.deepStrictEqual(world.api.asked, [undefined, '"42"'])
      assert.deepStrictEqual(
        world.lines.slice(before).map(({ level, message }) => [level, message]),
        [["Debug", "config.unchanged"]]
      )
    })
  )

  it.effect("keeps the ETag over a restart, and tells the gateway nothing again", () =>
    Effect.gen(function* () {
      const world = new World()
      yield* running42(world)
      const again = yield* world.start()
      assert.strictEqual(yield* again.tick, "unchanged")
      assert.deepStrictEqual(world.api.asked, [undefined, '"42"'])
      assert.strictEqual(world.gateway.reloads, 1)
    })
  )

  it.effect("ticks at once and then every interval, at most 2 % late", () =>
    Effect.gen(function* () {
      const world = new World()
      world.api.serve(bundleOf(1))
      const sync = yield* world.start()
      const fiber = yield* Effect.forkChild(sync.run)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(world.api.asked.length, 1)
      for (let minute = 1; minute <= 30; minute++) {
        yield* TestClock.setTime(minute * 60_000 - 1)
        assert.strictEqual(world.api.asked.length, minute)
        yield* TestClock.setTime(minute * 60_000 + 1_200)
        assert.strictEqual(world.api.asked.length, minute + 1)
      }
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("goes on through an API that is down, slow, or talks nonsense", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      for (const code of ["NETWORK", "TIMEOUT", "HTTP_503"]) {
        world.api.fail(code)
        assert.strictEqual(yield* sync.tick, "failed")
      }
      assert.strictEqual((yield* sync.status).status, "degraded")
      world.api.answer = () =>
        Effect.delay(Effect.fail(new JobsApiError({ errorCode: "TIMEOUT", errorMessage: "10 s" })), "10 seconds")
      const slow = yield* Effect.forkChild(sync.tick)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(slow), "failed")
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
      world.api.serve(bundleOf(43))
      assert.strictEqual(yield* sync.tick, "changed")
      assert.strictEqual((yield* sync.status).status, "ok")
    })
  )

  it.effect("counts its outcomes", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      yield* sync.tick
      world.api.fail("NETWORK")
      yield* sync.tick
      world.api.serve(bundleOf(41))
      yield* sync.tick
      const count = (outcome: Metrics.SyncOutcome) =>
        Effect.map(Metric.value(Metrics.configSyncs(outcome)), (state) => state.count)
      assert.deepStrictEqual(
        yield* Effect.all((["changed", "unchanged", "failed", "refused"] as const).map(count)),
        [1, 1, 1, 1]
      )
      assert.strictEqual((yield* Metric.value(Metrics.configVersion)).value, 42)
    }).pipe(
      Effect.provideServiceEffect(
        Metric.MetricRegistry,
        Effect.sync(() => new Map())
      )
    )
  )
})

describe("what is refused", () => {
  const text = (value: string) => new TextEncoder().encode(value)
  const entry = (id: string) => ({ id, key: "sk-1" })
  const model = (id: string) => ({ ...bundleOf(43).model_configs[0], id })
  const limit = { model: "gpt-4o", requests_per_minute: 1, tokens_per_minute: 1 }
  const bundle = (parts: object) => bodyOf({ ...bundleOf(43), ...parts })
  const cases: ReadonlyArray<readonly [name: string, rule: string, body: Uint8Array]> = [
    ["text that is not JSON", "decode", text("<html>")],
    ["bytes that are not UTF-8", "decode", Uint8Array.of(0x22, 0xff, 0x22)],
    ["an empty body", "decode", text("")],
    ["a version 0", "decode", bundle({ version: 0 })],
    ["a fractional version", "decode", bundle({ version: 43.5 })],
    ["no version", "decode", bundle({ version: undefined })],
    ["a missing list", "decode", bundle({ rate_limits: undefined })],
    ["a key that is a number", "decode", bundle({ openai_keys: [{ id: "primary", key: 12_345_678 }] })],
    ["a model without costs", "decode", bundle({ model_configs: [{ ...model("gpt-4o"), costs: undefined }] })],
    ["a negative rate", "decode", bundle({ rate_limits: [{ ...limit, tokens_per_minute: -1 }] })],
    ["endless nesting", "decode", text(`{"version":43,"openai_keys":${"[".repeat(20_000)}${"]".repeat(20_000)}}`)],
    ["two keys of one id", "duplicate", bundle({ openai_keys: [entry("a"), entry("a")] })],
    ["two models of one id", "duplicate", bundle({ model_configs: [model("gpt-4o"), model("gpt-4o")] })],
    ["two limits for one model", "duplicate", bundle({ rate_limits: [limit, limit] })],
    ["a limit for an unknown model", "unknown-model", bundle({ rate_limits: [{ ...limit, model: "gpt-9" }] })],
    ["an empty key list", "empty", bundle({ openai_keys: [] })],
    ["an empty model list", "empty", bundle({ model_configs: [], rate_limits: [] })],
    ["a lower version", "older", bundle({ version: 41 })],
    ["the same version with other content", "altered", bundle({ version: 42 })]
  ]
  for (const [name, rule, body] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const world = new World()
        const sync = yield* running42(world)
        const { operations } = world.disk
        world.api.serveBytes(body)
        assert.strictEqual(yield* sync.tick, "refused")
        assert.strictEqual((yield* sync.status).status, "ok")
        assert.strictEqual(yield* sync.tick, "refused")
        const status = yield* sync.status
        assert.strictEqual(status.status, "degraded")
        assert.include(status.problems.join(), "config accept")
        assert.strictEqual(world.disk.operations, operations, "nothing is written")
        assert.strictEqual(world.gateway.reloads, 1)
        const refusals = world.logged("config.refused")
        assert.strictEqual(refusals.length, 2)
        assert.strictEqual(refusals[0]?.level, "Error")
        assert.include(refusals[0]?.text, `"rule":"${rule}"`)
        assert.notInclude(world.lines.map((line) => line.text).join(), canary)
        assert.notInclude(world.lines.map((line) => line.text).join(), "12345678")
        world.api.serve(bundleOf(42))
        assert.strictEqual(yield* sync.tick, "unchanged")
        assert.strictEqual((yield* sync.status).status, "ok")
      })
    )
  }

  it.effect("a Content-Digest of other bytes, and one of these is taken", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      world.api.serve(bundleOf(43), "", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
      assert.strictEqual(yield* sync.tick, "refused")
      const digest = yield* Effect.promise(() => crypto.subtle.digest("SHA-512", bodyOf(bundleOf(43))))
      world.api.serve(bundleOf(43), "", `unixsum=:AAA=:, sha-512=:${Buffer.from(digest).toString("base64")}:`)
      assert.strictEqual(yield* sync.tick, "changed")
    })
  )

  it.effect("nothing of it when only the order differs, and extra keys are kept", () =>
    Effect.gen(function* () {
      const world = new World()
      const two = bundleOf(42, {
        openai_keys: [
          { id: "a", key: "sk-1", note: "kept" },
          { id: "b", key: "sk-2" }
        ]
      })
      world.api.serve(two)
      const sync = yield* installed(world)
      assert.include(world.text("openai.conf"), '"note": "kept"')
      world.api.serve({ ...two, openai_keys: [...two.openai_keys].reverse() }, "other")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.deepStrictEqual(world.api.asked, [undefined, '"42"', '"42other"'])
    })
  )

  it.effect("is applied once when the operator accepts it", () =>
    Effect.gen(function* () {
      const world = new World()
      const sync = yield* running42(world)
      world.api.serve(bundleOf(41))
      assert.strictEqual(yield* sync.tick, "refused")
      yield* world.inAnother(
        Effect.flatMap(ConfigStore, (store) =>
          store.locked(store.update((state) => ({ ...state, accepted: { version: 41, at: 0 } })))
        )
      )
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [41, 41, 41])
      world.api.serve(bundleOf(42))
      assert.strictEqual(yield* sync.tick, "changed")
      world.api.serve(bundleOf(41))
      assert.strictEqual(yield* sync.tick, "refused", "once only")
    })
  )
})

describe("the gateway", () => {
  it.effect("is told again at every tick until it was reached, over a restart too", () =>
    Effect.gen(function* () {
      const world = new World()
      world.gateway.down = true
      const sync = yield* running42(world)
      assert.strictEqual((yield* sync.status).gateway.status, "degraded")
      assert.strictEqual(yield* sync.tick, "unchanged")
      const again = yield* world.start()
      yield* again.tick
      world.gateway.down = false
      assert.strictEqual(yield* again.tick, "unchanged")
      assert.strictEqual(world.gateway.reloads, 1)
      assert.strictEqual((yield* again.status).gateway.status, "ok")
      assert.strictEqual(world.logged("config.reloaded").length, 1)
      yield* again.tick
      assert.strictEqual(world.gateway.reloads, 1)
    })
  )

  it.effect("that does not follow within 30 s is put back, and the version stays out until a higher one comes", () =>
    Effect.gen(function* () {
      const world = new World({ reportsVersion: true })
      const sync = yield* running42(world)
      world.gateway.indigestible.add(43)
      world.api.serve(bundleOf(43))
      const tick = yield* Effect.forkChild(sync.tick)
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(world.versions(), [43, 43, 43])
      const meanwhile = yield* sync.status
      assert.strictEqual(meanwhile.version, 43, "what is installed is said while the gateway is waited for")
      assert.deepInclude(meanwhile.gateway, { status: "ok", pendingReload: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(tick), "failed")
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
      assert.strictEqual(world.gateway.reloads, 3, "42, 43, and 42 again")
      assert.strictEqual(world.logged("config.quarantined")[0]?.level, "Error")
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.deepStrictEqual(world.versions(), [42, 42, 42])
      assert.include((yield* sync.status).problems.join(), "config accept 43")
      world.api.serve(bundleOf(44))
      assert.strictEqual(yield* sync.tick, "changed")
      assert.deepStrictEqual(world.versions(), [44, 44, 44])
      assert.strictEqual((yield* sync.status).status, "ok")
    })
  )

  it.effect("that goes away, or runs another version than it said, degrades health at the next tick", () =>
    Effect.gen(function* () {
      const world = new World({ reportsVersion: true })
      const sync = yield* running42(world)
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.strictEqual((yield* sync.status).gateway.status, "ok")
      world.gateway.down = true
      assert.strictEqual(yield* sync.tick, "unchanged")
      const gone = (yield* sync.status).gateway
      assert.deepInclude(gone, { status: "degraded", problems: ["the gateway is away"], pendingReload: false })
      world.gateway.down = false
      world.gateway.running = 41
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.include((yield* sync.status).gateway.problems.join(), "version 41, not 42")
      world.gateway.running = 42
      assert.strictEqual(yield* sync.tick, "unchanged")
      assert.strictEqual((yield* sync.status).gateway.status, "ok")
      assert.strictEqual(world.gateway.reloads, 1, "looking tells it nothing")
    })
  )

  it.effect("that follows after a while has applied it", () =>
    Effect.gen(function* () {
      const world = new World({ reportsVersion: true })
      world.gateway.indigestible.add(42)
      world.api.serve(bundleOf(42))
      const sync = yield* world.start()
      const tick = yield* Effect.forkChild(sync.tick)
      yield* TestClock.adjust("20 seconds")
      world.gateway.running = 42
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Fiber.join(tick), "changed")
      assert.include(world.logged("config.changed")[0]?.text, '"reload":"applied"')
    })
  )

  it.effect("is nobody: a warning once, and no reload is pending", () =>
    Effect.gen(function* () {
      const world = new World({ noGateway: true })
      world.api.serve(bundleOf(42))
      const sync = yield* world.start()
      const fiber = yield* Effect.forkChild(sync.run)
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual(world.logged("config.no_gateway").length, 1)
      assert.strictEqual((yield* sync.status).gateway.status, "off")
      yield* Fiber.interrupt(fiber)
    })
  )
})
