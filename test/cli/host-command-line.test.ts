/** The command line of a host app, in this process. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stdio, Stream } from "effect"
import { TestConsole } from "effect/testing"
import { EventKind, JobCollector } from "../../src/index.ts"

const schema = Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString })
const refund = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema,
  request: ({ event_id }) => ({ path: "/refunds", body: {}, idempotencyKey: event_id })
})
/** Its requests are made by an effect, which is never run here. */
const priced = EventKind.make({ stream: "shop:events:priced", name: "priced", schema, request: () => Effect.never })

/** What `cli` prints on stdout, and how it ends. */
const shop = (
  options: Parameters<typeof JobCollector.cli>[1],
  kinds: Parameters<typeof JobCollector.cli>[0],
  input: string,
  ...args: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const ended = yield* Effect.match(JobCollector.cli(kinds, options), {
      onFailure: (error) => error._tag,
      onSuccess: () => "well"
    })
    return { ended, out: (yield* TestConsole.logLines).join("\n"), err: (yield* TestConsole.errorLines).map(String) }
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        NodeServices.layer,
        Stdio.layerTest({ args: Effect.succeed(args), stdin: Stream.succeed(new TextEncoder().encode(input)) }),
        Layer.fresh(TestConsole.layer)
      )
    )
  )

const event = (id: string, cents: string) => `${JSON.stringify({ event_id: id, cents })}\n`
const alone = { name: "shop", builtInKinds: false }

describe("the command line of a host app", () => {
  it.live("has its own name, every command of the service but run, and its own kinds to choose from", () =>
    Effect.gen(function* () {
      const { out } = yield* shop({ name: "shop" }, [refund], "", "--help")
      assert.match(out, /shop <subcommand>/)
      assert.match(out, /abandoned +Events given up on/)
      assert.notMatch(out, /Run the service/)
      const lint = (yield* shop({ name: "shop" }, [refund], "", "lint", "--kind", "order")).err.join("")
      for (const name of ["transcribe", "process", "refund"]) assert.include(lint, name)
    })
  )

  it.live("holds events against the schema of the only kind there is, and finds an id that comes again", () =>
    Effect.gen(function* () {
      const good = yield* shop(alone, [refund], event("r-1", "1") + event("r-2", "2"), "lint")
      assert.deepStrictEqual(good, { ended: "well", out: "", err: ["2 events, all valid"] })
      const bad = yield* shop(alone, [refund], event("r-1", "1") + event("r-1", "2") + event("r-2", "some"), "lint")
      assert.match(bad.out, /^line 2: event_id: .*\nline 3: cents: /)
      assert.deepStrictEqual([bad.ended, bad.err], ["CommandFailed", ["3 events, 2 are invalid"]])
    })
  )

  it.live("asks for the kind where there are several, and makes no request of it", () =>
    Effect.gen(function* () {
      const input = event("r-1", "1") + event("r-1", "1")
      const untold = yield* shop(alone, [refund, priced], input, "lint")
      assert.include(untold.out, "line 1: entry: must be given its --kind: refund, priced")
      const told = yield* shop(alone, [refund, priced], input, "lint", "--kind", "priced")
      assert.deepStrictEqual([told.ended, told.err], ["well", ["2 events, all valid"]])
    })
  )

  it.live("refuses kinds that the collector would refuse", () =>
    Effect.gen(function* () {
      const { ended } = yield* shop({}, [refund, refund], "", "rules")
      assert.strictEqual(ended, "OptionsError")
    })
  )
})
