import { Schema } from "effect"
import { EventKind, JobCollector } from "job-collector"
import { type Host, type OwnFault, World, type WorldOptions } from "job-collector/testing"
import { expect, it } from "vitest"

const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
  request: (event) => ({ path: "/api/refunds", body: event, idempotencyKey: event.event_id })
})

const shop = (seed: number, faults: WorldOptions["faults"] = []) => {
  const paid = new Map<string, number>()
  const host: Host = (request) => {
    // The collector asks for its configurations as well, to see whether the API is there.
    if (request.path !== "/api/refunds") return { status: 404 }
    const { cents, event_id: id } = JSON.parse(request.text)
    if (!paid.has(id)) paid.set(id, cents)
    return { status: 200, afterMs: 20, body: { job_id: id, credits_deducted: 0 } }
  }
  const world = new World({
    seed,
    replicas: ["a", "b"],
    app: ({ name }) =>
      JobCollector.layer({
        apiBaseUrl: "http://shop.test",
        consumerName: name,
        groupStartId: "0",
        kinds: [refunds]
      }),
    host,
    faults
  })
  return { world, paid }
}

it("pays every refund once, whatever happens to the replicas", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { paid, world } = shop(seed, [
      { kind: "crash", at: 2_000, replica: "a", downFor: 5_000 },
      { kind: "pause", at: 3_000, replica: "b", lasts: 90_000 },
      { kind: "lost-replies", at: 1_000, lasts: 20_000, chance: 0.05 }
    ])
    for (let n = 0; n < 100; n++) {
      world.at(1_000 + n * 20, () => world.add("shop:events:refund", { event_id: `refund-${n}`, cents: "250" }))
    }
    world.run("5 minutes")
    expect(paid.size).toBe(100)
    expect(world.pending("shop:events:refund")).toBe(0)
  }
})

it("tries again after 5, 15 and 45 seconds, to the millisecond", () => {
  const attempts: Array<number> = []
  const world = new World({
    seed: 1,
    app: () => JobCollector.layer({ apiBaseUrl: "http://shop.test", groupStartId: "0", kinds: [refunds] }),
    host: () => ({ status: 500 }),
    watchers: [
      {
        onSent: ({ request }) => {
          if (request.path === "/api/refunds") attempts.push(world.elapsed)
        }
      }
    ]
  })
  world.at(1_000, () => world.add("shop:events:refund", { event_id: "refund-1", cents: "250" }))
  world.run("2 minutes")

  const [first = 0, second = 0, third = 0, fourth = 0] = attempts
  expect(attempts.length).toBe(4)
  // A few milliseconds are the network's and the API's.
  expect([second - first, third - second, fourth - third].map((ms) => Math.floor(ms / 500) * 500)).toEqual([
    5_000, 15_000, 45_000
  ])
  expect(world.entries("modelsgateway:events:abandoned").length).toBe(1)
})

it("does not care that the shop is rebuilt every ten seconds", () => {
  let version = 1
  const rebuild = (at: number): OwnFault => ({
    kind: "own",
    name: "rebuild",
    at,
    apply: (world) => {
      version += 1
      world.replica("a").stop()
      world.kernel.after(500_000, undefined, () => world.replica("a").start())
    }
  })
  const { paid, world } = shop(7, [rebuild(10_000), rebuild(20_000), rebuild(30_000)])
  for (let n = 0; n < 40; n++) {
    world.at(1_000 * n, () => world.add("shop:events:refund", { event_id: `refund-${n}`, cents: "99" }))
  }
  world.run("3 minutes", () => paid.size === 40)
  expect(paid.size).toBe(40)
  expect(version).toBe(4)
})

it("is the same history for the same seed", () => {
  const history = (seed: number) => {
    const { world } = shop(seed)
    world.at(1_000, () => world.add("shop:events:refund", { event_id: "refund-1", cents: "1" }))
    world.run("1 minute")
    return world.hash
  }
  expect(history(3)).toBe(history(3))
  expect(history(3)).not.toBe(history(4))
})
