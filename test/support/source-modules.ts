/** A source tree as modules and the arrows between them: what the layout's tests and `npm run structure` look at. */
import { readdirSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"

export interface Module {
  /** Path below the root, with forward slashes. */
  readonly path: string
  /** Without comments. */
  readonly text: string
  readonly lines: number
  /** What it imports, types included: a path below the root for the tree's own modules, else the specifier. */
  readonly imports: ReadonlyArray<Import>
  /** The names it exports itself; what it only passes on from another module is an import. */
  readonly exports: ReadonlyArray<string>
}

export interface Import {
  readonly from: string
  /** The names it takes; `*` for all of them. */
  readonly names: ReadonlyArray<string>
}

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "")

/** `{ a, type B, c as d }` → a, B, c; anything else that a statement takes is all there is. */
const namesOf = (clause: string): ReadonlyArray<string> =>
  clause.includes("{")
    ? clause
        .slice(clause.indexOf("{") + 1, clause.indexOf("}"))
        .split(",")
        .map((name) =>
          name
            .trim()
            .replace(/^type\s+/, "")
            .replace(/\s+as\s[\s\S]*$/, "")
        )
        .filter((name) => name !== "")
    : ["*"]

const statement = /(?:^|\n)\s*(?:import|export)\b([^"';=]*?)\bfrom\s*"([^"]+)"/g
const wholeModule = /\bimport\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s+"([^"]+)"/g
const declared =
  /^export\s+(?:declare\s+)?(?:const|let|function\*?|abstract\s+class|class|interface|type|enum)\s+(\w+)/gm

/** A module of a tree from its text. */
export const moduleOf = (path: string, source: string): Module => {
  const text = withoutComments(source)
  const resolved = (specifier: string) =>
    specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier
  return {
    path,
    text,
    lines: source.split("\n").length - 1,
    imports: [
      ...[...text.matchAll(statement)].map(([, clause = "", from = ""]) => ({
        from: resolved(from),
        names: namesOf(clause)
      })),
      ...[...text.matchAll(wholeModule)].map(([, dynamic, bare = ""]) => ({
        from: resolved(dynamic ?? bare),
        names: ["*"]
      }))
    ],
    exports: [...text.matchAll(declared)].map(([, name = ""]) => name)
  }
}

/** All modules below a directory. With a prefix their paths begin with it, so that several trees look at one another. */
export const modulesIn = (root: string, prefix = ""): ReadonlyArray<Module> =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .sort()
    .map((path) => moduleOf(posix.join(prefix, path), readFileSync(join(root, path), "utf8")))

/** The folder a module stands in; "." for the root. */
export const folderOf = ({ path }: Pick<Module, "path">): string => posix.dirname(path)

/** The arrows between groups of modules, each once, and none within a group. */
const arrowsBetween = (
  modules: ReadonlyArray<Module>,
  groupOf: (path: string) => string
): ReadonlyArray<readonly [string, string]> => {
  const known = new Set(modules.map(({ path }) => path))
  const found = new Map<string, readonly [string, string]>()
  for (const { imports, path } of modules) {
    for (const { from } of imports) {
      const arrow = [groupOf(path), groupOf(from)] as const
      if (known.has(from) && arrow[0] !== arrow[1]) found.set(arrow.join(" → "), arrow)
    }
  }
  return [...found.values()]
}

/** The arrows between a tree's folders. */
export const folderArrows = (modules: ReadonlyArray<Module>): ReadonlyArray<readonly [string, string]> =>
  arrowsBetween(modules, posix.dirname)

/** The folders at the top, each with its rooms (the folders and files in it) and how many arrows lead between those. */
export const floorsOf = (modules: ReadonlyArray<Module>) => {
  const roomOf = (path: string) => path.split("/").slice(0, 2).join("/")
  return [...new Set(modules.filter(({ path }) => path.includes("/")).map(({ path }) => path.split("/")[0] ?? ""))].map(
    (floor) => {
      const inside = modules.filter(({ path }) => path.startsWith(`${floor}/`))
      return {
        floor,
        rooms: new Set(inside.map(({ path }) => roomOf(path))).size,
        arrows: arrowsBetween(inside, roomOf).length
      }
    }
  )
}

/** The circles: each set of nodes that all reach one another, by Tarjan's algorithm. */
const circlesOf = (arrows: ReadonlyMap<string, ReadonlyArray<string>>): ReadonlyArray<ReadonlyArray<string>> => {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: Array<string> = []
  const circles: Array<ReadonlyArray<string>> = []
  const visit = (node: string): void => {
    index.set(node, index.size)
    low.set(node, index.size - 1)
    stack.push(node)
    for (const next of arrows.get(node) ?? []) {
      if (!arrows.has(next)) continue
      if (!index.has(next)) {
        visit(next)
        low.set(node, Math.min(low.get(node) ?? 0, low.get(next) ?? 0))
      } else if (stack.includes(next)) low.set(node, Math.min(low.get(node) ?? 0, index.get(next) ?? 0))
    }
    if (low.get(node) !== index.get(node)) return
    const circle = stack.splice(stack.indexOf(node)).sort()
    if (circle.length > 1 || arrows.get(node)?.includes(node)) circles.push(circle)
  }
  for (const node of arrows.keys()) if (!index.has(node)) visit(node)
  return circles.sort((a, b) => String(a).localeCompare(String(b)))
}

/** Circles of modules, type imports included. */
export const moduleCircles = (modules: ReadonlyArray<Module>): ReadonlyArray<ReadonlyArray<string>> =>
  circlesOf(new Map(modules.map(({ imports, path }) => [path, imports.map(({ from }) => from)])))

/** Circles of folders. */
export const folderCircles = (modules: ReadonlyArray<Module>): ReadonlyArray<ReadonlyArray<string>> => {
  const arrows = new Map<string, Array<string>>(modules.map((module) => [folderOf(module), []]))
  for (const [from, to] of folderArrows(modules)) arrows.get(from)?.push(to)
  return circlesOf(arrows)
}

/** `<path> <name>` of every export that neither its own module nor any taker uses; who takes `*` of a module uses it all. */
export const deadExports = (modules: ReadonlyArray<Module>, takers: ReadonlyArray<Module>): ReadonlyArray<string> => {
  const taken = new Set(
    takers.flatMap(({ imports }) => imports.flatMap(({ from, names }) => names.map((name) => `${from} ${name}`)))
  )
  return modules.flatMap(({ exports, path, text }) =>
    exports
      .filter((name) => !taken.has(`${path} *`) && !taken.has(`${path} ${name}`))
      .filter((name) => (text.match(new RegExp(`\\b${name}\\b`, "g"))?.length ?? 0) < 2)
      .map((name) => `${path} ${name}`)
  )
}
