export type Yaml = string | number | boolean | null | Array<Yaml> | { [key: string]: Yaml }

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

const scalar = (text: string): Yaml => {
  if (/^[[{"]/.test(text)) return JSON.parse(text) as Yaml
  if (text.startsWith("'") && text.endsWith("'")) return text.slice(1, -1).replaceAll("''", "'")
  if (text === "true" || text === "false") return text === "true"
  if (text === "null" || text === "~" || text === "") return null
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}

/**
 * The part of YAML that the files of `deploy/` are written in: block maps and lists, plain and quoted scalars, literal
 * blocks, flow collections that are JSON, several documents. Throws at everything else, naming the line.
 */
export const parseYaml = (source: string): Array<Yaml> =>
  source.split(/^---$/m).flatMap((document) => {
    const raw = document.split("\n")
    const lines: Array<Line> = []
    for (const [index, full] of raw.entries()) {
      const text = full.trimStart()
      lines.push({ indent: full.length - text.length, text: text.trimEnd(), number: index + 1 })
    }
    let at = 0
    const skip = () => {
      while (at < lines.length && (lines[at]!.text === "" || lines[at]!.text.startsWith("#"))) at += 1
    }
    const fail = (line: Line, problem: string): never => {
      throw new Error(`line ${line.number}: ${problem}: ${line.text}`)
    }
    const peek = (): Line | undefined => {
      skip()
      return lines[at]
    }

    const literal = (parent: number): string => {
      const text: Array<string> = []
      const indent = lines[at]?.indent ?? 0
      while (at < lines.length && (lines[at]!.text === "" || lines[at]!.indent > parent)) {
        text.push(raw[at]!.slice(indent))
        at += 1
      }
      return `${text.join("\n").trimEnd()}\n`
    }

    const value = (text: string, indent: number): Yaml => {
      if (text === "|") return literal(indent)
      if (text !== "") return scalar(text)
      const next = peek()
      if (next === undefined) return null
      // A list may stand at the indent of its key.
      if (next.indent > indent || (next.indent === indent && next.text.startsWith("- "))) return block(next.indent)
      return null
    }

    const list = (indent: number): Array<Yaml> => {
      const items: Array<Yaml> = []
      for (let line = peek(); line?.indent === indent && line.text.startsWith("- "); line = peek()) {
        const rest = line.text.slice(2).trimStart()
        const inner = indent + line.text.length - rest.length
        if (/^[\w./-]+:( |$)/.test(rest)) {
          lines[at] = { indent: inner, text: rest, number: line.number }
          items.push(map(inner))
        } else {
          at += 1
          items.push(value(rest, indent))
        }
      }
      return items
    }

    const map = (indent: number): { [key: string]: Yaml } => {
      const entries: { [key: string]: Yaml } = {}
      for (let line = peek(); line?.indent === indent && !line.text.startsWith("- "); line = peek()) {
        const match = /^([\w./-]+):(?: +(.*))?$/.exec(line.text) ?? fail(line, "not a key")
        const key = match[1]!
        const rest = match[2] ?? ""
        if (key in entries) fail(line, "a key that was there before")
        if (/^[^"'[{].*(: | #)/.test(rest)) fail(line, "needs quotes")
        at += 1
        entries[key] = value(rest, indent)
      }
      return entries
    }

    const block = (indent: number): Yaml => (lines[at]!.text.startsWith("- ") ? list(indent) : map(indent))

    const first = peek()
    if (first === undefined) return []
    const parsed = block(first.indent)
    const rest = peek()
    if (rest !== undefined) fail(rest, "unexpected indent")
    return [parsed]
  })
