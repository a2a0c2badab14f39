import { assert, describe, it } from "vitest"
import { Durations } from "../../src/domain/delivery/durations.ts"

const of = (...all: ReadonlyArray<number>) => {
  const durations = new Durations()
  for (const ms of all) durations.add(ms)
  return durations
}

describe("durations", () => {
  it("tell what a share of them took, to within 8 %", () => {
    for (const ms of [2, 9, 75, 200, 1_234, 59_000]) {
      const told = Durations.quantile(0.95, of(ms)) ?? 0
      assert.isBelow(Math.abs(told - ms) / ms, 0.08, `${ms}: ${told}`)
    }
    const many = of(...Array.from({ length: 100 }, (_, n) => (n < 94 ? 20 : 500)))
    assert.isBelow(Math.abs((Durations.quantile(0.5, many) ?? 0) - 20), 2)
    assert.isBelow(Math.abs((Durations.quantile(0.95, many) ?? 0) - 500), 40)
  })

  it("are those of several counts together; of none there is nothing to tell", () => {
    assert.isUndefined(Durations.quantile(0.5, of(), of()))
    assert.isAbove(Durations.quantile(0.95, of(10, 10), of(900)) ?? 0, 800)
    assert.isBelow(Durations.quantile(0.5, of(10, 10), of(900)) ?? 0, 12)
  })

  it("of no time at all and of a day are counted as well", () => {
    assert.strictEqual(Durations.quantile(0.5, of(0)), 1)
    assert.isAbove(Durations.quantile(0.5, of(86_400_000)) ?? 0, 500_000)
  })
})
