import { assert, describe, it } from "vitest"
import { relativeChange } from "../../src/domain/gatewayConfig/relativeChange.ts"

const said = (before: string, after: string) => {
  const change = relativeChange({ before, after })
  return change === undefined ? undefined : `${change.text}${change.isAlarming ? "!" : ""}`
}

describe("the relative change of a parameter", () => {
  it("is a factor where it is large, a percentage where it is not, and an alarm from ten times on", () => {
    assert.strictEqual(said("2.5", "250"), "× 100!")
    assert.strictEqual(said("250", "2.5"), "× 0.01!")
    assert.strictEqual(said("1", "3"), "× 3")
    assert.strictEqual(said("2", "2.5"), "+25 %")
    assert.strictEqual(said("3", "2.9"), "-3.33 %")
  })

  it("is nothing where no number became another", () => {
    for (const [before, after] of [
      ["0", "5"],
      ["5", "5"],
      ["5", "-5"],
      ['"5"', '"6"'],
      ["true", "false"],
      ["", "1"]
    ] as const)
      assert.isUndefined(said(before, after), `${before} → ${after}`)
  })
})
