/**
 * As much of Helm's template language as the chart in deploy/helm uses, so that it can be rendered where there is no helm: `if`, `else`,
 * `range`, `define`, `include`, pipelines, and the functions below. What is beyond that is an error, not a guess.
 */
import { createHash } from "node:crypto"
import { stringify } from "yaml"

/** What a template may name: `.Values`, `.Chart`, `.Release`, `.Files.Get`. */
export interface Root {
  readonly Values: unknown
  readonly Chart: unknown
  readonly Release: unknown
  readonly Files: (path: string) => string
}

type Node =
  | { readonly tag: "text"; readonly text: string }
  | { readonly tag: "print"; readonly code: string }
  | { readonly tag: "if"; readonly code: string; readonly met: Array<Node>; readonly otherwise: Array<Node> }
  | { readonly tag: "range"; readonly code: string; readonly body: Array<Node> }

const action = /\{\{(-?)\s*([\s\S]*?)\s*(-?)\}\}/g

/** Text and actions in turn; a `-` takes the white space on its side. */
const tokens = (source: string): ReadonlyArray<string | { readonly code: string }> => {
  const found: Array<string | { readonly code: string }> = []
  let from = 0
  let trims = false
  for (const match of source.matchAll(action)) {
    const [whole, left, code = "", right] = match
    let text = source.slice(from, match.index)
    if (trims) text = text.trimStart()
    if (left === "-") text = text.trimEnd()
    found.push(text, { code })
    trims = right === "-"
    from = match.index + whole.length
  }
  const rest = source.slice(from)
  found.push(trims ? rest.trimStart() : rest)
  return found
}

/** A file's nodes; the templates that it defines are added to `defined`. */
const parse = (source: string, defined: Map<string, Array<Node>>): Array<Node> => {
  const top: Array<Node> = []
  const open: Array<{ readonly into: Array<Node>; readonly node?: Node }> = [{ into: top }]
  const into = () => {
    const last = open.at(-1)
    if (last === undefined) throw new Error("an end too many")
    return last.into
  }
  for (const token of tokens(source)) {
    if (typeof token === "string") {
      if (token !== "") into().push({ tag: "text", text: token })
      continue
    }
    const [, word = "", rest = ""] = /^(if|else|range|define|end)?\b\s*([\s\S]*)$/.exec(token.code) ?? []
    if (word === "if") {
      const node: Node = { tag: "if", code: rest, met: [], otherwise: [] }
      into().push(node)
      open.push({ into: node.met, node })
    } else if (word === "range") {
      const node: Node = { tag: "range", code: rest, body: [] }
      into().push(node)
      open.push({ into: node.body, node })
    } else if (word === "define") {
      const body: Array<Node> = []
      defined.set(rest.replaceAll('"', ""), body)
      open.push({ into: body })
    } else if (word === "else") {
      const { node } = open.pop() ?? {}
      if (node?.tag !== "if" || rest !== "") throw new Error(`no such else: ${token.code}`)
      open.push({ into: node.otherwise, node })
    } else if (word === "end") {
      open.pop()
    } else into().push({ tag: "print", code: token.code })
  }
  if (open.length !== 1) throw new Error("if, range or define without end")
  return top
}

const isTrue = (value: unknown): boolean =>
  typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value)

const indented = (spaces: unknown, text: unknown): string => {
  const pad = " ".repeat(Number(spaces))
  return String(text)
    .split("\n")
    .map((line) => pad + line)
    .join("\n")
}

const at = (value: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>(
    (found, key) => (typeof found === "object" && found !== null ? Reflect.get(found, key) : undefined),
    value
  )

/** As sigs.k8s.io/yaml writes it: keys in order, long lines whole. */
const toYaml = (value: unknown): string =>
  stringify(value, { version: "1.1", lineWidth: 0, sortMapEntries: true, indentSeq: false }).trimEnd()

class Rendering {
  private readonly root: Root
  private readonly defined: ReadonlyMap<string, Array<Node>>

  constructor(root: Root, defined: ReadonlyMap<string, Array<Node>>) {
    this.root = root
    this.defined = defined
  }

  private call(name: string, args: ReadonlyArray<unknown>): unknown {
    switch (name) {
      case "include": {
        const body = this.defined.get(String(args[0]))
        if (body === undefined) throw new Error(`no template ${String(args[0])}`)
        return this.render(body, args[1])
      }
      case ".Files.Get":
        return this.root.Files(String(args[0]))
      case "toYaml":
        return toYaml(args[0])
      case "nindent":
        return `\n${indented(args[0], args[1])}`
      case "quote":
        return JSON.stringify(String(args[0]))
      case "sha256sum":
        return createHash("sha256").update(String(args[0])).digest("hex")
      case "default":
        return isTrue(args[1]) ? args[1] : args[0]
      case "or":
        return args.find(isTrue) ?? args.at(-1)
      default:
        throw new Error(`no function ${name}`)
    }
  }

  private value(word: string, dot: unknown): unknown {
    if (/^"[^"]*"$/.test(word)) return word.slice(1, -1)
    if (/^\d+$/.test(word)) return Number(word)
    if (word === ".") return dot
    if (/^\.\w+(?:\.\w+)*$/.test(word)) return at(dot, word.slice(1).split("."))
    throw new Error(`what is ${word}?`)
  }

  private evaluate(code: string, dot: unknown): unknown {
    let piped: ReadonlyArray<unknown> = []
    for (const stage of code.split("|")) {
      const [head = "", ...rest] = stage.trim().match(/"[^"]*"|\S+/g) ?? []
      const args = [...rest.map((word) => this.value(word, dot)), ...piped]
      const isCall = args.length > 0 || head === ".Files.Get" || /^[a-z]/.test(head)
      piped = [isCall ? this.call(head, args) : this.value(head, dot)]
    }
    return piped[0]
  }

  render(nodes: ReadonlyArray<Node>, dot: unknown): string {
    return nodes
      .map((node) => {
        if (node.tag === "text") return node.text
        if (node.tag === "print") {
          const value = this.evaluate(node.code, dot)
          if (value === undefined || value === null) throw new Error(`${node.code} has no value`)
          return String(value)
        }
        if (node.tag === "if")
          return this.render(isTrue(this.evaluate(node.code, dot)) ? node.met : node.otherwise, dot)
        const items = this.evaluate(node.code, dot)
        return (Array.isArray(items) ? items : []).map((item: unknown) => this.render(node.body, item)).join("")
      })
      .join("")
  }
}

/** Renders templates by name; `helpers` are read for what they define alone. */
export const renderTemplates = (
  templates: Readonly<Record<string, string>>,
  helpers: ReadonlyArray<string>,
  root: Root
): Readonly<Record<string, string>> => {
  const defined = new Map<string, Array<Node>>()
  for (const helper of helpers) parse(helper, defined)
  return Object.fromEntries(
    Object.entries(templates).map(([name, source]) => {
      try {
        return [name, new Rendering(root, defined).render(parse(source, defined), root)]
      } catch (error) {
        throw new Error(`${name}: ${error instanceof Error ? error.message : error}`)
      }
    })
  )
}
