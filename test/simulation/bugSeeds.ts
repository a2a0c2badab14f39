/** A seed for each deliberate bug that finds it: those that the test runs. */
import { readFileSync, writeFileSync } from "node:fs"
import { bugs } from "../../src/testing/simulation/bugs.ts"
import type { Bug } from "../../src/testing/simulation/simulate.ts"

const file = new URL("./bug-seeds.json", import.meta.url)

/** How long the worlds of {@link seedOf} last, in milliseconds. */
export const bugDurationMs = 120_000

const seeds = (): Readonly<Record<string, number>> => JSON.parse(readFileSync(file, "utf8"))

/** The seed that found a bug last; undefined where none has yet. */
export const seedOf = ({ name }: Bug): number | undefined => seeds()[name]

/** Keeps the seed that finds a bug, and forgets the bugs that there are no more. */
export const keepSeed = ({ name }: Bug, seed: number): void => {
  const known = { ...seeds(), [name]: seed }
  const kept = bugs.flatMap((bug) => (known[bug.name] === undefined ? [] : [[bug.name, known[bug.name]]]))
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(kept), undefined, 2)}\n`)
}
