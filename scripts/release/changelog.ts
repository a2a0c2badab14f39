/** The changelog at a release. */

/** A change that waited in `.changeset/`. */
export interface Change {
  readonly kind: "major" | "minor" | "patch"
  /** Markdown. */
  readonly text: string
}

const headings = { major: "Changed", minor: "Added", patch: "Fixed" } as const

/** A changeset's file, as `changeset` writes it for a repository of one package. */
export const readChange = (file: string): Change => {
  const [, kind, text = ""] = /^---\n"?[^"\n]+"?: *(major|minor|patch)\n---\n([\s\S]*)$/.exec(file) ?? []
  if (kind !== "major" && kind !== "minor" && kind !== "patch") throw new Error(`This is no changeset:\n${file}`)
  return { kind, text: text.trim() }
}

const UNRELEASED = "## Unreleased\n"

/** What stands under "Unreleased", and the changes that waited, become the section of a version. */
export const released = (changelog: string, version: string, date: string, changes: ReadonlyArray<Change>): string => {
  const [before, rest] = changelog.split(UNRELEASED)
  if (before === undefined || rest === undefined) throw new Error('The changelog has no "Unreleased"')
  const end = rest.search(/^## /m)
  const [section, after] = end === -1 ? [rest, ""] : [rest.slice(0, end), rest.slice(end)]
  const sorted = Map.groupBy(changes, ({ kind }) => headings[kind])
  const withChanges = [...sorted].reduce((text, [heading, under]) => {
    const lines = under.map(({ text: change }) => `- ${change.replaceAll("\n", "\n  ")}\n`).join("")
    const title = `### ${heading}\n`
    return text.includes(title) ? text.replace(`${title}\n`, () => `${title}\n${lines}`) : `${text}${title}\n${lines}\n`
  }, section)
  return `${before}${UNRELEASED}\n## ${version}, ${date}\n${withChanges}${after}`
}
