import { assert, describe, it } from "@effect/vitest"
import {
  compareIds,
  formatId,
  type Id,
  MAX,
  nextId,
  parseId,
  previousId,
  ZERO
} from "../../src/layers/redis/memory/ids.ts"
import { Ordered } from "../../src/layers/redis/memory/ordered.ts"
import { Chance } from "../../src/testing/world/chance.ts"

interface Item {
  readonly id: Id
}

const live = (ordered: Ordered<Item>, from = ordered.begin): Array<string> => {
  const found: Array<string> = []
  for (let at = from; at < ordered.end; at++) {
    const item = ordered.at(at)
    if (item !== undefined) found.push(formatId(item.id))
  }
  return found
}

describe("Ordered", () => {
  it("agrees with a sorted list through thousands of additions and removals, at any place", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const chance = new Chance(`ordered ${seed}`)
      const ordered = new Ordered<Item>()
      let model: Array<Id> = []
      let newest = 0
      for (let step = 0; step < 3_000; step++) {
        const growing = Math.floor(step / 600) % 2 === 0
        if (chance.next() < (growing ? 0.7 : 0.3)) {
          const id = chance.yes(1 / 4) ? { ms: chance.int(0, newest), seq: 1 } : { ms: ++newest, seq: 1 }
          if (ordered.get(id) === undefined) {
            ordered.add({ id })
            model = [...model, id].sort(compareIds)
          }
        } else if (model.length > 0) {
          const id = chance.yes(1 / 2) ? model[0]! : chance.pick(model)
          assert.deepStrictEqual(ordered.remove(id)?.id, id)
          assert.isUndefined(ordered.remove(id))
          model = model.filter((other) => other !== id)
        }
        assert.strictEqual(ordered.size, model.length)
        assert.deepStrictEqual(ordered.first?.id, model[0])
        assert.deepStrictEqual(ordered.last?.id, model.at(-1))
        if (step % 50 === 0) {
          const from = { ms: chance.int(0, newest + 1), seq: 0 }
          assert.deepStrictEqual(live(ordered), model.map(formatId))
          assert.deepStrictEqual(
            live(ordered, ordered.seek(from)),
            model.filter((id) => compareIds(id, from) >= 0).map(formatId)
          )
        }
      }
    }
  })

  it("keeps no more gaps than items, however long a stream flows through it", () => {
    const ordered = new Ordered<Item>()
    const stuck = { ms: 1, seq: 0 }
    ordered.add({ id: stuck })
    for (let ms = 2; ms < 100_000; ms++) {
      ordered.add({ id: { ms, seq: 0 } })
      if (ms > 12) ordered.remove({ ms: ms - 10, seq: 0 })
      assert.isBelow(ordered.end - ordered.begin, 200)
    }
    assert.deepStrictEqual(ordered.first?.id, stuck)
  })
})

describe("ids", () => {
  const greatest = "18446744073709551615"

  it("are exact over the whole 64 bits", () => {
    for (const text of [`${greatest}-${greatest}`, "9007199254740993-9007199254740995", "9007199254740991-0", "0-1"]) {
      assert.strictEqual(formatId(parseId(text) ?? ZERO), text)
    }
    for (const [text, next] of [
      ["0-0", "0-1"],
      ["5-9007199254740991", "5-9007199254740992"],
      ["5-9007199254740992", "5-9007199254740993"],
      [`9007199254740991-${greatest}`, "9007199254740992-0"],
      [`5-${greatest}`, "6-0"]
    ] as const) {
      const after = nextId(parseId(text) ?? MAX)
      assert.strictEqual(formatId(after ?? ZERO), next)
      assert.strictEqual(formatId(previousId(after ?? ZERO) ?? ZERO), text)
      assert.isAbove(compareIds(after ?? ZERO, parseId(text) ?? MAX), 0)
    }
    assert.isUndefined(nextId(MAX))
    assert.isUndefined(previousId(ZERO))
  })

  it("are refused beyond them and in any other form", () => {
    const wrong = [
      "18446744073709551616-0",
      "0-18446744073709551616",
      "",
      "-",
      "-1",
      "1-",
      "1-2-3",
      "a-1",
      "1-b",
      "1 -2",
      "0x1"
    ]
    for (const text of wrong) assert.isUndefined(parseId(text), text)
    assert.strictEqual(formatId(parseId("7", 3) ?? ZERO), "7-3")
  })
})
