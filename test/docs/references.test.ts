/** What the documents and comments refer to is there: sections of the contract, files, headings. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { sections } from "../../site/pages.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const passedOver: ReadonlySet<string> = new Set(["node_modules", "dist", "coverage"])

const filesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".") || passedOver.has(entry.name)) return []
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesIn(path) : [path]
  })

const files = filesIn(root)
const read = (path: string): string => readFileSync(path, "utf8")
const shown = (path: string): string => relative(root, path)
const markdown = files.filter((path) => path.endsWith(".md"))

const withoutFences = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, "")

/** A heading's anchor, as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

const anchorsOf = (text: string): ReadonlySet<string> =>
  new Set([...withoutFences(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading)))

describe("the contract", () => {
  const sections = new Map(
    read(join(root, "docs/contract.md"))
      .split(/^## /m)
      .map((section) => [/^\d+/.exec(section)?.[0] ?? "", section] as const)
  )

  /** References in a text, also where they run over the end of a comment's line. */
  const referencesIn = (text: string) =>
    text
      .replace(/\s*\n\s*(?:\*|\/\/)?\s*/g, " ")
      .matchAll(/contract sections? ((?:\d+(?:, | and )?)+)(?:["“`]([^"”`]+))?/gi)

  const references = files
    .filter((path) => /\.(ts|mjs|md|yml|yaml)$/.test(path))
    .flatMap((path) =>
      [...referencesIn(read(path))].flatMap(([, numbers = "", part]) =>
        (numbers.match(/\d+/g) ?? []).map((number) => ({ path, number, part }))
      )
    )

  it("has every section that is referred to", () => {
    assert.isAbove(references.length, 50)
    assert.deepStrictEqual(
      references.filter(({ number }) => !sections.has(number)).map(({ number, path }) => `${shown(path)}: ${number}`),
      []
    )
  })

  it("says in that section what is quoted from it", () => {
    const quoted = references.flatMap(({ number, part, path }) => (part === undefined ? [] : [{ number, part, path }]))
    assert.isAbove(quoted.length, 5)
    assert.deepStrictEqual(
      quoted
        .filter(
          ({ number, part }) => !sections.get(number)?.toLowerCase().includes(part.replace(/\*$/, "").toLowerCase())
        )
        .map(({ number, part, path }) => `${shown(path)}: ${number}, ${part}`),
      []
    )
  })
})

describe("the glossary", () => {
  it("names only types that exist", () => {
    const source = files.filter((path) => path.startsWith(join(root, "src/"))).map(read)
    const declared = (name: string) =>
      source.some((text) => new RegExp(`^export (?:const|class|interface|type) ${name}\\b`, "m").test(text))
    const named = [...read(join(root, "docs/glossary.md")).matchAll(/`((?:[A-Z][a-z]+){2,})`/g)].map(
      ([, name = ""]) => name
    )
    assert.isAbove(named.length, 5)
    assert.deepStrictEqual(
      named.filter((name) => !declared(name)),
      []
    )
  })
})

describe("the decisions", () => {
  it("have a number each, and a line in the index", () => {
    const folder = join(root, "docs/decisions")
    const pages = readdirSync(folder)
      .filter((name) => name !== "README.md")
      .sort()
    assert.deepStrictEqual(
      pages.map((name) => name.slice(0, 4)),
      pages.map((_, at) => `${String(at + 1).padStart(3, "0")}-`)
    )
    assert.deepStrictEqual(
      [...read(join(folder, "README.md")).matchAll(/^- \[(.+)\]\((.+)\)$/gm)].map(([, title, page]) => [page, title]),
      pages.map((name) => [name, /^# (.+)$/m.exec(read(join(folder, name)))?.[1]])
    )
  })
})

describe("the site", () => {
  it("has every page of docs in its sidebar, and no page that is not there", () => {
    const named = sections.flatMap(({ pages }) => pages)
    assert.deepStrictEqual(
      named.filter((page) => !existsSync(join(root, page))),
      []
    )
    assert.deepStrictEqual(
      markdown.map(shown).filter((page) => /^docs\/[^/]+$/.test(page) && !named.includes(page)),
      []
    )
  })
})

describe("links", () => {
  const anchors = new Map(markdown.map((path) => [path, anchorsOf(read(path))]))

  const links = markdown.flatMap((path) =>
    [
      ...withoutFences(read(path))
        .replace(/`[^`\n]*`/g, "")
        .matchAll(/\]\(([^()\s]+)\)/g)
    ].map(([, target = ""]) => ({
      path,
      target
    }))
  )
  const local = links.filter(({ target }) => !/^[a-z]+:/i.test(target))

  it("lead to a file or folder", () => {
    assert.isAbove(local.length, 20)
    const broken = local.filter(({ path, target }) => {
      const [file = ""] = target.split("#")
      return file !== "" && !existsSync(resolve(dirname(path), file))
    })
    assert.deepStrictEqual(
      broken.map(({ path, target }) => `${shown(path)} → ${target}`),
      []
    )
  })

  it("lead to a heading", () => {
    const broken = local.filter(({ path, target }) => {
      const [file = "", anchor] = target.split("#")
      if (anchor === undefined) return false
      return !anchors.get(file === "" ? path : resolve(dirname(path), file))?.has(anchor)
    })
    assert.deepStrictEqual(
      broken.map(({ path, target }) => `${shown(path)} → ${target}`),
      []
    )
  })
})
