/** What is in the site, and where: the repository's own Markdown under shorter addresses. */

/** A part of the sidebar, and its pages by their files in the repository. */
export interface Section {
  readonly title: string
  readonly pages: ReadonlyArray<string>
}

export const sections: ReadonlyArray<Section> = [
  {
    title: "Guide",
    pages: [
      "docs/guide.md",
      "README.md",
      "docs/runtimes.md",
      "docs/verifying.md",
      "docs/time-travel-testing.md",
      "docs/mutation-testing.md",
      "AGENTS.md"
    ]
  },
  { title: "Recipes", pages: ["examples/README.md"] },
  { title: "Reference", pages: ["docs/contract.md"] },
  {
    title: "Operations",
    pages: [
      "docs/runbook.md",
      "docs/runbook-changes.md",
      "docs/observability.md",
      "docs/performance.md",
      "deploy/README.md",
      "SECURITY.md",
      "docs/threat-model.md",
      "CHANGELOG.md"
    ]
  },
  {
    title: "How it works",
    pages: [
      "docs/architecture.md",
      "docs/glossary.md",
      "docs/decisions/README.md",
      "CONTRIBUTING.md",
      "test/README.md",
      "sandbox/README.md"
    ]
  }
]

/** The address of a file's page, as a file below the site's root; undefined for what has none. */
export const addressOf = (file: string): string | undefined => {
  const example = /^examples\/(.+)\.(?:ts|py)$/.exec(file)?.[1]
  if (example !== undefined) return `recipes/${recipeName(file)}.md`
  if (!file.endsWith(".md")) return undefined
  if (file === "README.md") return "overview.md"
  if (file === "examples/README.md") return "recipes/index.md"
  if (file === "docs/decisions/README.md") return "decisions/index.md"
  if (file.startsWith("docs/")) return file.slice("docs/".length)
  if (file.startsWith("site/")) return file.slice("site/".length)
  const folder = /^([\w-]+)\/README\.md$/.exec(file)?.[1]
  if (folder !== undefined) return `${folder === "test" ? "tests" : folder}.md`
  return file.includes("/") ? undefined : file.toLowerCase()
}

/** An example's page: its file's name; the producers differ in their ending alone. */
export const recipeName = (file: string): string =>
  file.slice("examples/".length).replace(/\.ts$/, "").replaceAll(".", "-")
