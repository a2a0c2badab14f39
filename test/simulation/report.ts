/** What a run of many seeds says of itself, on the screen and in a file. */
import { rareStates } from "../../src/testing/simulation/rareStates.ts"
import type { MarkTally } from "./marks/tally.ts"
import type { Result } from "./worker.ts"

/** In how many worlds each rare state was seen, and how often in all. */
export class RareTally {
  private readonly times = new Map<string, number>()
  private readonly worlds = new Map<string, number>()

  add(rare: Result["rare"]): void {
    for (const [name, times] of Object.entries(rare)) {
      this.times.set(name, (this.times.get(name) ?? 0) + times)
      this.worlds.set(name, (this.worlds.get(name) ?? 0) + 1)
    }
  }

  get missing(): ReadonlyArray<string> {
    return rareStates.map(({ name }) => name).filter((name) => !this.worlds.has(name))
  }

  /** Name, worlds and times of each. */
  get rows(): ReadonlyArray<readonly [string, number, number, string]> {
    return rareStates.map(({ name, what }) => [name, this.worlds.get(name) ?? 0, this.times.get(name) ?? 0, what])
  }

  get lines(): ReadonlyArray<string> {
    return this.rows.map(
      ([name, worlds, times]) => `${String(times).padStart(12)} ${String(worlds).padStart(7)}  ${name}`
    )
  }

  get summary(): string {
    const { missing } = this
    const all = rareStates.length
    return `${all - missing.length} of ${all} rare states seen${missing.length === 0 ? "" : `, not: ${missing.join(", ")}`}`
  }
}

/** The report as Markdown. */
export const reportOf = (of: {
  readonly figures: ReadonlyArray<string>
  readonly failing: ReadonlyArray<{ readonly command: string; readonly result: Result }>
  readonly marks: MarkTally
  readonly rare: RareTally
}): string => {
  const { failing, figures, marks, rare } = of
  const failures = failing.map(
    ({ command, result: { violations } }) =>
      `- \`${command}\`: ${violations[0]?.rule} (${violations[0]?.phase}): ${violations[0]?.detail}`
  )
  return [
    "# Simulated worlds",
    "",
    ...figures.map((line) => `- ${line}`),
    `- ${marks.summary}`,
    `- ${rare.summary}`,
    "",
    "## Failing seeds",
    "",
    ...(failures.length === 0 ? ["None."] : failures),
    "",
    "## Rare states",
    "",
    "| state | worlds | times | what it is |",
    "| --- | --- | --- | --- |",
    ...rare.rows.map((row) => `| ${row.join(" | ")} |`),
    "",
    "## Marks never reached",
    "",
    ...(marks.missing.length === 0 ? ["None."] : marks.missing.map((name) => `- \`${name}\``)),
    "",
    "## Marks",
    "",
    "```text",
    "       times  worlds",
    ...marks.lines,
    "```",
    ""
  ].join("\n")
}
