/** Puts a counter into every branch of a module's source, and gives each a name that a reader finds again in it. */
import { parseAst } from "rolldown/parseAst"

interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && "start" in value

const nodesOf = (value: unknown): ReadonlyArray<Node> =>
  Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []

/** How much of a condition is part of a mark's name. */
const mostOfCondition = 70

/** Where the counters stand, in the source that is run. */
const counters = "$marks"

interface Insertion {
  readonly at: number
  readonly text: string
  readonly opens: boolean
}

/** Source with a counter in every branch, on the same lines as before; and what to call the counters. */
export interface Instrumented {
  readonly source: string
  readonly names: ReadonlyArray<string>
}

/**
 * Counts how often each function, each side of an `if` and a `?:`, each case, each turn of a loop and each `catch` is reached,
 * in `global[name][first]` and those after it. What stands behind `&&`, `||` and `??` is no branch of its own.
 */
export const instrument = (source: string, file: string, global: string, first: number): Instrumented => {
  const insertions: Array<Insertion> = []
  const names: Array<string> = []
  const known = new Map<string, number>()

  const textOf = (node: Node): string => {
    const text = source.slice(node.start, node.end).replace(/\s+/g, " ")
    return text.length > mostOfCondition ? `${text.slice(0, mostOfCondition)}…` : text
  }

  const mark = (within: string, what: string): string => {
    const name = [`${file} ${within}`, what].filter((part) => part !== "").join(": ")
    const times = (known.get(name) ?? 0) + 1
    known.set(name, times)
    names.push(times === 1 ? name : `${name} (${times})`)
    return `${counters}[${first + names.length - 1}]++`
  }

  const put = (at: number, text: string, opens: boolean) => insertions.push({ at, text, opens })
  const around = (node: Node, before: string, after: string) => {
    put(node.start, before, true)
    put(node.end, after, false)
  }
  const statement = (node: Node, counter: string) =>
    node.type === "BlockStatement" ? put(node.start + 1, `${counter};`, true) : around(node, `{${counter};`, "}")
  const expression = (node: Node, counter: string) => around(node, `(${counter},`, ")")

  const functionMark = (node: Node, body: Node, within: string, what: string) => {
    const counter = mark(within, what)
    if (body.type === "BlockStatement") statement(body, counter)
    else if (node.type === "ArrowFunctionExpression") expression(body, counter)
  }

  /** The name that a function is given by what it stands in. */
  const nameIn = ({ id, key, type }: Node): string | undefined => {
    const named = type === "VariableDeclarator" || type === "FunctionDeclaration" ? id : key
    return isNode(named) && (named.type === "Identifier" || named.type === "PrivateIdentifier")
      ? String(named.name)
      : undefined
  }

  const visit = (node: Node, within: string, isNamed: boolean, callee: string) => {
    const { alternate, argument: _, body, consequent, test } = node
    const own = nameIn(node)
    const inside = own === undefined ? within : within === "" || own === within ? own : `${within}.${own}`
    const isFunction = /^(?:ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/.test(node.type)
    if (isFunction && isNode(body)) functionMark(node, body, inside || "module", isNamed ? "" : callee)
    else if (node.type === "IfStatement" && isNode(test) && isNode(consequent)) {
      const counter = mark(inside, textOf(test))
      const otherwise = mark(inside, `not ${textOf(test)}`)
      if (isNode(alternate)) statement(alternate, otherwise)
      else put(node.end, ` else ${otherwise};`, false)
      statement(consequent, counter)
    } else if (node.type === "ConditionalExpression" && isNode(test) && isNode(consequent) && isNode(alternate)) {
      expression(consequent, mark(inside, textOf(test)))
      expression(alternate, mark(inside, `not ${textOf(test)}`))
    } else if (node.type === "SwitchCase" && Array.isArray(consequent)) {
      const [head] = nodesOf(consequent)
      const label = isNode(test) ? `case ${textOf(test)}` : "default"
      if (head !== undefined) put(head.start, `${mark(inside, label)};`, true)
    } else if (/^(?:For|While|DoWhile)\w*Statement$/.test(node.type) && isNode(body)) {
      statement(body, mark(inside, `loop ${textOf(node).slice(0, textOf(node).indexOf(")") + 1)}`))
    } else if (node.type === "CatchClause" && isNode(body)) statement(body, mark(inside, "catch"))
    const called = node.type === "CallExpression" && isNode(node.callee) ? `in ${textOf(node.callee)}` : callee
    for (const [key, value] of Object.entries(node)) {
      if (key === "typeAnnotation" || key === "returnType" || key === "typeParameters") continue
      for (const child of nodesOf(value)) {
        // `const name = Effect.fnUntraced(function* …)` names its function as well.
        const names =
          own !== undefined || (isNamed && node.type === "CallExpression" && /^Effect\.fn/.test(called.slice(3)))
        visit(child, inside, names && !isFunction, own === undefined ? called : "")
      }
    }
  }

  visit(parseAst(source, { lang: "ts" }) as unknown as Node, "", false, "")
  // Of what begins at one place the outermost comes first, of what ends there the innermost; the walk is outermost first.
  const ordered = insertions
    .map((insertion, order) => ({ ...insertion, order: insertion.opens ? order : -order }))
    .sort((a, b) => a.at - b.at || Number(a.opens) - Number(b.opens) || a.order - b.order)
  let at = 0
  let marked = `const ${counters}=globalThis[Symbol.for(${JSON.stringify(global)})];`
  for (const insertion of ordered) {
    marked += source.slice(at, insertion.at) + insertion.text
    at = insertion.at
  }
  return { source: marked + source.slice(at), names }
}
