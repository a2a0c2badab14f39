/** What is to happen comes in order of time, then of ties, however far ahead it was planned. */
import { assert, it } from "@effect/vitest"
import { Agenda, type Appointment } from "../../src/testing/world/agenda.ts"
import { Chance } from "../../src/testing/world/chance.ts"

it("gives appointments in order while others are added, near and far", () => {
  const chance = new Chance("agenda")
  const agenda = new Agenda()
  const planned: Array<Appointment> = []
  const taken: Array<Appointment> = []
  let now = 0
  const plan = (at: number) => {
    const appointment = { at, tie: chance.int(0, 1), order: planned.length, turn: undefined, run: undefined }
    planned.push(appointment)
    agenda.add(appointment)
  }
  for (let i = 0; i < 500; i++) plan(chance.int(0, 86_400_000_000))
  for (let next = agenda.first; next !== undefined; next = agenda.first) {
    assert.strictEqual(agenda.take(), next)
    assert.isAtLeast(next.at, now)
    now = next.at
    taken.push(next)
    if (planned.length < 5_000)
      for (let i = chance.int(0, 3); i > 0; i--) plan(now + 1 + chance.int(0, 3) * 400_000_000)
  }
  assert.isUndefined(agenda.take())
  assert.isAtLeast(taken.length, 500)
  assert.deepStrictEqual(
    taken,
    planned.toSorted((a, b) => a.at - b.at || a.tie - b.tie || a.order - b.order)
  )
})
