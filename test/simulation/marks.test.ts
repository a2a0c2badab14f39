/** The counters that marked modules are given: every branch its own, and nothing else changed. */
import { stripTypeScriptTypes } from "node:module"
import { assert, describe, it } from "@effect/vitest"
import { Chance } from "../../src/testing/world/chance.ts"
import { Ranking } from "../../src/testing/world/ranking.ts"
import { instrument } from "./marks/instrument.ts"

const source = `
const sign = (n: number): string => (n > 0 ? "+" : n < 0 ? "-" : "0")
function grade(n: number): string {
  if (n > 90) return "a"
  else if (n > 50) {
    return "b"
  }
  switch (n) {
    case 0:
      return "none"
    default:
      return "c"
  }
}
const twice = wrap((n: number) => { if (n > 1) if (n > 2) return n * 2; return { n }.n })
const all = (list: ReadonlyArray<number>): string => { let text = ""; for (const n of list) text += sign(n); return text }
const safe = (make: () => unknown): unknown => { try { return make() } catch { return "caught" } }
return [all([1, -1, 5]), grade(95), grade(0), twice(3), twice(1), safe(() => { throw new Error("no") })].join(" ")
`

const counted = () => {
  const name = "test marks"
  const counts = new Float64Array(64)
  Reflect.set(globalThis, Symbol.for(name), counts)
  const body = `const wrap = <A>(make: A): A => make${source}`
  // A function's body may return, a module may not.
  const { names, source: marked } = instrument(body.replace(/\nreturn /, "\nconst result = "), "sample", name, 3)
  const plain = stripTypeScriptTypes(`${marked}\nglobalThis.markedResult = result`)
  new Function(plain)()
  return { counts, names, result: Reflect.get(globalThis, "markedResult") }
}

describe("marks", () => {
  it("count every branch, and change no result", () => {
    const { counts, names, result } = counted()
    assert.strictEqual(result, "+-+ a none 6 1 caught")
    const times = Object.fromEntries(names.map((name, index) => [name, counts[index + 3]]))
    assert.deepInclude(times, {
      "sample sign": 3,
      "sample sign: n > 0": 2,
      "sample sign: not n > 0": 1,
      "sample sign: n < 0": 1,
      "sample sign: not n < 0": 0,
      "sample grade: n > 90": 1,
      "sample grade: not n > 90": 1,
      "sample grade: n > 50": 0,
      "sample grade: case 0": 1,
      "sample grade: default": 0,
      "sample twice: n > 1": 1,
      "sample twice: not n > 1": 1,
      "sample twice: n > 2": 1,
      "sample twice: not n > 2": 0,
      "sample all: loop for (const n of list)": 3,
      "sample safe: catch": 1
    })
    assert.strictEqual(new Set(names).size, names.length)
  })

  it("keep every line where it was", () => {
    const { source: marked } = instrument(source.replace("\nreturn ", "\nconst result = "), "sample", "x", 0)
    assert.strictEqual(marked.split("\n").length, source.split("\n").length)
  })
})

describe("ranks of fibers", () => {
  const turn = { take: (run: () => void) => run() }

  it("hold for a while, are drawn anew later, and let nobody wait for ever", () => {
    const ranking = new Ranking(new Chance("ranks"))
    ranking.at(0)
    const fibers = Array.from({ length: 8 }, () => ranking.newcomer())
    const order = (): string => {
      const taken: Array<number> = []
      for (const [index, rank] of fibers.entries()) ranking.add(rank, turn, () => taken.push(index))
      for (let next = ranking.take(); next !== undefined; next = ranking.take()) next.run()
      return taken.join()
    }
    const first = order()
    assert.strictEqual(order(), first)
    const later = Array.from({ length: 5 }, (_, epoch) => {
      ranking.at((epoch + 1) * 1e12)
      return order()
    })
    assert.isAbove(new Set([first, ...later]).size, 3)

    // One that is ready again and again waits for another, behind it.
    const [eager = ranking.newcomer(), meek = ranking.newcomer()] = fibers
    let turns = 0
    let isDone = false
    const spin = () => {
      turns += 1
      if (!isDone && turns < 1_000) ranking.add(eager, turn, spin)
    }
    ranking.add(eager, turn, spin)
    ranking.add(meek, turn, () => {
      isDone = true
    })
    for (let next = ranking.take(); next !== undefined; next = ranking.take()) next.run()
    assert.isTrue(isDone)
    assert.isBelow(turns, 200)
  })
})
