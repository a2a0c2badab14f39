/** What changed between two bundles, by path, fit for a log: no secret in it. */
import { isLongNumber, nearestDouble } from "../json/losslessJson.ts"
import { type Bundle, entryKey, isObject, listNames } from "./bundle.ts"
import { MAX_SHOWN, REDACTED, Secrets } from "./redact.ts"

/** One changed parameter, such as `model_configs.gpt-4o.costs.input`. Values are rendered, redacted and short. */
export interface Change {
  readonly kind: "added" | "removed" | "changed"
  readonly path: string
  readonly before?: string
  readonly after?: string
}

/** What differs: the first changes, and how many there are in all. */
export interface Diff {
  readonly changes: ReadonlyArray<Change>
  readonly total: number
}

/** As many changes are shown. */
const MAX_CHANGES = 100
const SECRET_WORDS = new Set(
  "key,keys,secret,secrets,password,passwd,passphrase,credential,credentials,authorization,auth,bearer,token,cookie".split(
    ","
  )
)
/** Whether a parameter's name says that its value is secret: `api_key`, `authToken`, but not `max_tokens`. */
const isSecretName = (name: string): boolean =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .some((word) => SECRET_WORDS.has(word) || word === "apikey")

/** Names the members of an array by their ids where all have one, else by position, so that members are compared. */
const members = (list: ReadonlyArray<unknown>, key?: string): ReadonlyMap<string, unknown> => {
  const name = key ?? ["id", "model"].find((k) => list.every((item) => isObject(item) && typeof item[k] === "string"))
  const byName = new Map(
    list.map((item, at) => [name !== undefined && isObject(item) ? String(item[name]) : `${at}`, item])
  )
  return byName.size === list.length ? byName : new Map(list.map((item, at) => [`${at}`, item]))
}

const same = (before: unknown, after: unknown): boolean =>
  isLongNumber(before) && isLongNumber(after) ? before.rawJSON === after.rawJSON : Object.is(before, after)

class Walk {
  readonly changes: Array<Change> = []
  total = 0
  readonly secrets: Secrets

  constructor(secrets: Secrets) {
    this.secrets = secrets
  }

  private render(value: unknown, secret: boolean): string {
    if (isObject(value)) return "{…}"
    if (Array.isArray(value)) return "[…]"
    if (typeof value === "string") {
      if (secret) return REDACTED
      if (this.secrets.touch(value)) return `"${REDACTED}"`
    }
    if (secret && nearestDouble(value) !== undefined) return REDACTED
    const text = JSON.stringify(typeof value === "string" ? value.slice(0, MAX_SHOWN) : value)
    return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  }

  /** `secret`: everything below is secret, for its list's or its parameter's name. */
  compare(path: string, before: unknown, after: unknown, secret: boolean, key?: string): void {
    if (isObject(before) && isObject(after)) {
      this.each(path, new Map(Object.entries(before)), new Map(Object.entries(after)), secret)
    } else if (Array.isArray(before) && Array.isArray(after)) {
      this.each(path, members(before, key), members(after, key), secret)
    } else if (!same(before, after)) {
      this.total += 1
      if (this.total <= MAX_CHANGES) this.changes.push(this.change(path, before, after, secret))
    }
  }

  private change(path: string, before: unknown, after: unknown, secret: boolean): Change {
    return {
      kind: before === undefined ? "added" : after === undefined ? "removed" : "changed",
      path: this.secrets.redact(path),
      ...(before === undefined ? {} : { before: this.render(before, secret) }),
      ...(after === undefined ? {} : { after: this.render(after, secret) })
    }
  }

  private each(
    path: string,
    before: ReadonlyMap<string, unknown>,
    after: ReadonlyMap<string, unknown>,
    secret: boolean
  ): void {
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      const at = `${path}.${name.length > MAX_SHOWN ? this.secrets.name(name) : name}`
      this.compare(at, before.get(name), after.get(name), secret || isSecretName(name))
    }
  }
}

/**
 * The parameters that differ, in the order of the lists. The version is not one of them. Without a bundle before, every entry
 * is added.
 */
export const diff = (before: Bundle | undefined, after: Bundle): Diff => {
  const walk = new Walk(new Secrets(before, after))
  for (const list of listNames) {
    walk.compare(list, before?.[list] ?? [], after[list], list === "openai_keys", entryKey[list])
  }
  return { changes: walk.changes, total: walk.total }
}

const sign = { added: "+", removed: "-", changed: "~" } as const

/** One change on one line: `~ model_configs.gpt-4o.costs.input: 2.5 → 3`. */
const renderChange = (change: Change): string => {
  const values = [change.before, change.after].filter((value) => value !== undefined && value !== "{…}")
  return `${sign[change.kind]} ${change.path}${values.length === 0 ? "" : `: ${values.join(" → ")}`}`
}

/** What differs, a line for each change that is shown. */
export const renderChanges = ({ changes, total }: Diff): ReadonlyArray<string> => [
  ...changes.map(renderChange),
  ...(total > changes.length ? [`… and ${total - changes.length} more`] : [])
]
