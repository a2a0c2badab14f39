import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { EventKind, JobCollector } from "job-collector"
import { type OwnFault, World } from "job-collector/testing"

const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
  request: (refund) => ({ path: "/api/refunds", body: refund, idempotencyKey: refund.event_id })
})

/** A shop, and a fault of its own beside those that come with the world: its till is locked while the cash is counted. */
class Shop {
  readonly paid = new Map<string, number>()
  private isLocked = false

  readonly stocktaking: OwnFault = {
    kind: "own",
    name: "stocktaking",
    at: 10_000,
    apply: (world) => {
      this.isLocked = true
      world.at(70_000, () => {
        this.isLocked = false
      })
    }
  }

  pay(text: string) {
    const { cents, event_id: id } = JSON.parse(text)
    if (this.isLocked) return { status: 503 }
    // Once, however often it is asked.
    if (!this.paid.has(id)) this.paid.set(id, cents)
    return { status: 200, afterMs: 20, body: { job_id: id } }
  }
}

it.each([1, 2, 3])("pays every refund once through stocktaking and a crash (seed %i)", (seed) => {
  const shop = new Shop()
  const world = new World({
    seed,
    replicas: ["a", "b"],
    app: ({ name }) =>
      JobCollector.layer({
        apiBaseUrl: "http://shop.test",
        consumerName: name,
        groupStartId: "0",
        kinds: [refunds],
        apiProbe: false
      }),
    host: ({ text }) => shop.pay(text),
    faults: [shop.stocktaking, { kind: "crash", at: 9_000, replica: "a", downFor: 5_000 }]
  })
  for (let n = 0; n < 100; n++) {
    world.at(1_000 + n * 300, () => world.add("shop:events:refund", { event_id: `refund-${n}`, cents: "250" }))
  }
  world.run("10 minutes")

  assert.strictEqual(shop.paid.size, 100)
  // The circuit was open while the till was locked: no event has lost its attempts.
  assert.deepStrictEqual(world.entries("modelsgateway:events:abandoned"), [])
})
