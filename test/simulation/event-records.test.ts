/** What is remembered of an event, and for how long. */
import { assert, it } from "@effect/vitest"
import { Layer } from "effect"
import { World } from "../../src/testing/index.ts"
import { EventRecords } from "../../src/testing/simulation/eventRecords.ts"
import { scenarioOf } from "../../src/testing/simulation/seededScenario.ts"

const scenario = scenarioOf(1, 60_000)
const { abandoned, transcribe } = scenario.streams

const begin = () => {
  const world = new World({ seed: 1, app: () => Layer.empty, host: () => ({ status: 404 }) })
  const records = new EventRecords(world.redis, scenario)
  const produce = (eventId: string): string => {
    const fields = ["event_id", eventId]
    const entryId = String(world.redis.command("XADD", transcribe, "*", ...fields))
    records.produced({ eventId, nature: "good", stream: transcribe, entryId, fields, values: {}, untimely: false })
    return entryId
  }
  const deliver = (eventId: string, entryId: string) => {
    const record = records.ofEvent(eventId)
    if (record !== undefined) record.successes += 1
    records.acknowledged(transcribe, entryId)
  }
  const forgotten = () => records.forget().map(({ produced }) => produced.eventId)
  return { world, records, produce, deliver, forgotten }
}

it("an event that was delivered is forgotten an hour after it stood somewhere last, and stays counted", () => {
  const { deliver, records, forgotten, produce, world } = begin()
  const entryId = produce("good-1")
  world.run("2 hours")
  assert.deepStrictEqual(forgotten(), [])
  deliver("good-1", entryId)
  world.run("59 minutes")
  assert.deepStrictEqual(forgotten(), [])
  world.run("2 minutes")
  assert.deepStrictEqual(forgotten(), ["good-1"])
  assert.isUndefined(records.ofEvent("good-1"))
  assert.isUndefined(records.at(transcribe, entryId))
  assert.deepStrictEqual(records.all, [])
  assert.strictEqual(records.count, 1)
  assert.deepInclude(records.outcomes, { produced: 1, delivered: 1, lost: 0 })
})

it("what Redis lost, or was acknowledged without an end, is not forgotten", () => {
  const { deliver, records, forgotten, produce, world } = begin()
  produce("good-1")
  world.redis.command("DEL", transcribe)
  records.survey("flush")
  records.acknowledged(transcribe, produce("good-2"))
  deliver("good-3", produce("good-3"))
  world.run("2 hours")
  assert.deepStrictEqual(forgotten(), ["good-3"])
  assert.deepStrictEqual(
    records.all.map(({ lost, produced }) => [produced.eventId, lost]),
    [
      ["good-1", "flush"],
      ["good-2", undefined]
    ]
  )
})

it("what was abandoned is forgotten once it is replayed and delivered", () => {
  const { deliver, records, forgotten, produce, world } = begin()
  const given = produce("good-1")
  const round = records.at(transcribe, given)
  assert(round !== undefined)
  records.acknowledged(transcribe, given)
  records.copied(round, abandoned, "1-1", ["abandoned", JSON.stringify({ reason: "exhausted", attempts: 4 })])
  world.run("2 hours")
  assert.deepStrictEqual(forgotten(), [])
  records.unabandoned(abandoned, "1-1")
  records.begun(round.record, transcribe, "9-1")
  deliver("good-1", "9-1")
  world.run("2 hours")
  assert.deepStrictEqual(forgotten(), ["good-1"])
  assert.isUndefined(records.at(abandoned, "1-1"))
  assert.deepInclude(records.outcomes, { produced: 1, delivered: 1, abandoned: 0, replayed: 1 })
})

it("an entry that was acknowledged does not come again where a failover forgot its copy and the group", () => {
  const { records, produce, world } = begin()
  world.redis.command("XGROUP", "CREATE", transcribe, "job-collector-group", "0", "MKSTREAM")
  const moved = produce("good-1")
  records.acknowledged(transcribe, moved)
  const unread = produce("good-2")
  world.redis.command("XGROUP", "DESTROY", transcribe, "job-collector-group")
  records.survey("failover")
  assert.deepStrictEqual(
    records.all.map(({ copies, lost }) => [[...copies], lost]),
    [
      [[], "failover"],
      [[`${transcribe} ${unread}`], undefined]
    ]
  )
})
