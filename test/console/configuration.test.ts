/** The configuration in the console: the same programs as the command's, and no key's value anywhere. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { ConfigStore } from "../../src/services/ConfigStore.ts"
import { bundleOf, canary } from "../gatewayConfig/support/bundles.ts"
import { World } from "../gatewayConfig/support/world.ts"
import { actToken, console, readToken } from "../support/console.ts"

const json = { "content-type": "application/json" }

/** A console beside a service that has installed version 1, and version 2 with a price a hundred times as high. */
const beside = Effect.gen(function* () {
  const world = new World()
  const sync = yield* world.start()
  const costs = (input: number) => ({
    model_configs: [{ id: "gpt-4o", provider: "openai", enabled: true, rules: {}, costs: { input, output: 10 } }]
  })
  for (const [version, input] of [
    [1, 2.5],
    [2, 250]
  ] as const) {
    world.api.serve(bundleOf(version, costs(input)))
    yield* sync.tick
    yield* TestClock.adjust("1 minute")
  }
  const store = yield* Effect.provide(ConfigStore, world.platform)
  const { ask } = yield* console(undefined, [], store)
  const get = (path: string) => ask(path, { token: readToken })
  const post = (path: string, body: unknown) =>
    ask(path, { method: "POST", token: actToken, headers: json, body: JSON.stringify(body) })
  return { get, post, ask }
})

describe("the configuration in the console", () => {
  it.effect("shows each version with what it changed, an alarming price in red, and never a key", () =>
    Effect.gen(function* () {
      const { get } = yield* beside
      const { status, text } = yield* get("/configuration")
      assert.strictEqual(status, 200)
      assert.match(text, /model_configs\.gpt-4o\.costs\.input: 2\.5 → 250 <strong class="bad">× 100</)
      assert.include(text, "<strong>version 2</strong>")
      assert.notInclude(text, canary)
      for (const path of ["", "/history", "/diff"]) {
        const answer = yield* get(`/api/v1/configuration${path}`)
        assert.strictEqual(answer.status, 200, answer.text)
        assert.notInclude(answer.text, canary)
      }
      const difference = JSON.parse((yield* get("/api/v1/configuration/diff?from=1&to=2")).text)
      assert.deepInclude(difference, { from: 1, to: 2 })
      assert.include(JSON.stringify(difference.changes), "model_configs.gpt-4o.costs.input")
      assert.strictEqual((yield* get("/api/v1/configuration/diff?from=77")).status, 409)
    })
  )

  it.effect("a version that was rolled back from stays in sight; each decision is in the audit, with its reason", () =>
    Effect.gen(function* () {
      const { get, post } = yield* beside
      const back = JSON.parse((yield* post("/api/v1/configuration/rollback", { why: "a slip in a price" })).text)
      assert.deepInclude(back.status, { version: 1, kept_out: { up_to_version: 2, cause: "rollback" } })
      assert.isNull(back.unaudited)
      const held = JSON.parse((yield* post("/api/v1/configuration/hold", { duration: "30m" })).text)
      assert.strictEqual(held.status.held, true)
      const accepted = JSON.parse((yield* post("/api/v1/configuration/accept", { version: 2 })).text)
      assert.strictEqual(accepted.status.accepted_version, 2)
      const page = (yield* get("/configuration")).text
      assert.match(page, /class="bad">left .*rolled back/)
      assert.include(page, "× 100", "what the bad version had changed")
      const { changes } = JSON.parse((yield* get("/api/v1/audit")).text)
      assert.deepStrictEqual(
        changes.map(({ action, who, why }: Record<string, string>) => `${who} ${action} ${why}`),
        ["bob config accept null", "bob config hold null", "bob config rollback a slip in a price"]
      )
      assert.strictEqual((yield* post("/api/v1/configuration/hold", { off: true })).status, 200)
      assert.strictEqual((yield* post("/api/v1/configuration/hold", { duration: "soon" })).status, 400)
      assert.strictEqual((yield* post("/api/v1/configuration/accept", { version: 0 })).status, 400)
    })
  )

  it.effect("a page says so where there is no folder, and an act is refused", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const { status, text } = yield* ask("/configuration", { token: actToken })
      assert.strictEqual(status, 200)
      assert.include(text, "there is no configuration folder here")
      assert.notInclude(text, "<form class")
      const form = { method: "POST", token: actToken, headers: json, body: "{}" }
      assert.strictEqual((yield* ask("/api/v1/configuration/rollback", form)).status, 404)
      assert.strictEqual((yield* ask("/configuration/rollback", { ...form, body: "" })).status, 404)
    })
  )
})
