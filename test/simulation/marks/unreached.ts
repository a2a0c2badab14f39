/** The marks that are not reached, and why: nobody counts on more than was seen, and nobody wonders twice. */
import { readFileSync, writeFileSync } from "node:fs"

interface Unreached {
  /** By why no world gets there. */
  readonly never: Readonly<Record<string, ReadonlyArray<string>>>
  /** No seed of the test command gets there; of many seeds some may. */
  readonly rarer: ReadonlyArray<string>
}

const file = new URL("./unreached.json", import.meta.url)
const unreached: Unreached = JSON.parse(readFileSync(file, "utf8"))

const reasons = new Map(Object.entries(unreached.never).flatMap(([why, marks]) => marks.map((mark) => [mark, why])))
const rarer: ReadonlySet<string> = new Set(unreached.rarer)

/** Why no world gets to a mark; undefined where some world is to. */
export const reasonFor = (name: string): string | undefined => reasons.get(name)

/** Whether it takes more than the seeds of the test command to get to a mark. */
export const isRarer = (name: string): boolean => rarer.has(name)

/** Every mark that either list names. */
export const listedMarks = (): ReadonlyArray<string> => [...reasons.keys(), ...rarer]

/** Writes the lists anew: what is gone leaves them, what was missing becomes rarer. What is mistaken stays, for a person to judge. */
export const acceptMarks = (seen: {
  readonly missingInTest: ReadonlyArray<string>
  readonly stale: ReadonlyArray<string>
}) => {
  const stale = new Set(seen.stale)
  const kept = (marks: ReadonlyArray<string>) => marks.filter((mark) => !stale.has(mark))
  const never = Object.fromEntries(
    Object.entries(unreached.never).flatMap(([why, marks]) => (kept(marks).length === 0 ? [] : [[why, kept(marks)]]))
  )
  const rarer = [...kept(unreached.rarer), ...seen.missingInTest].sort()
  writeFileSync(file, `${JSON.stringify({ never, rarer }, undefined, 2)}\n`)
}
