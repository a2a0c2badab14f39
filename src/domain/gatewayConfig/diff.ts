/** What changed between two bundles, by path, fit for a log: no secret in it. */
import { type Bundle, type Entry, entryKey, listNames } from "./bundle.ts"

/** One changed parameter, such as `model_configs.gpt-4o.costs.input`. Values are rendered, redacted and short. */
export interface Change {
  readonly kind: "added" | "removed" | "changed"
  readonly path: string
  readonly before?: string
  readonly after?: string
}

const REDACTED = "[redacted]"
const MAX_VALUE_LENGTH = 120
const SECRET_WORDS = new Set(
  "key,keys,secret,secrets,password,passwd,passphrase,credential,credentials,authorization,auth,bearer,token,cookie".split(
    ","
  )
)
/** Values that look secret wherever they stand: a provider's key, a URL with a password. */
const SECRET_VALUE = /\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}|:\/\/[^/\s]*@/

const looksSecret = (text: string): boolean => SECRET_VALUE.test(text)

/** Whether a parameter's name says that its value is secret: `api_key`, `authToken`, but not `max_tokens`. */
const isSecretName = (name: string): boolean =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .some((word) => SECRET_WORDS.has(word) || word === "apikey")

const isObject = (value: unknown): value is Entry =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Every string under a bundle's key list, but for the ids. */
const secretsOf = (bundle: Bundle | undefined): ReadonlyArray<string> => {
  const found: Array<string> = []
  const collect = (value: unknown, name: string): void => {
    if (typeof value === "string" && name !== "id" && value.length > 3) found.push(value)
    if (typeof value === "object" && value !== null) {
      for (const [key, member] of Object.entries(value)) collect(member, key)
    }
  }
  collect(bundle?.openai_keys, "")
  return found
}

/** Names the members of an array by their ids where all have one, else by position, so that members are compared. */
const members = (list: ReadonlyArray<unknown>, key?: string): ReadonlyMap<string, unknown> => {
  const name = key ?? ["id", "model"].find((k) => list.every((item) => isObject(item) && typeof item[k] === "string"))
  const byName = new Map(
    list.map((item, at) => [name !== undefined && isObject(item) ? String(item[name]) : `${at}`, item])
  )
  return byName.size === list.length ? byName : new Map(list.map((item, at) => [`${at}`, item]))
}

class Walk {
  readonly changes: Array<Change> = []
  readonly secrets: ReadonlyArray<string>

  constructor(secrets: ReadonlyArray<string>) {
    this.secrets = secrets
  }

  clean(text: string): string {
    return this.secrets.some((secret) => text.includes(secret)) || looksSecret(text) ? REDACTED : text
  }

  private render(value: unknown, secret: boolean): string {
    if (isObject(value)) return "{…}"
    if (Array.isArray(value)) return "[…]"
    if (typeof value === "string") {
      if (secret) return REDACTED
      const text = JSON.stringify(this.clean(value) === REDACTED ? REDACTED : value)
      return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text
    }
    return secret && typeof value === "number" ? REDACTED : JSON.stringify(value)
  }

  /** `secret`: everything below is secret, for its list's or its parameter's name. */
  compare(path: string, before: unknown, after: unknown, secret: boolean, key?: string): void {
    if (isObject(before) && isObject(after)) {
      this.each(path, new Map(Object.entries(before)), new Map(Object.entries(after)), secret)
    } else if (Array.isArray(before) && Array.isArray(after)) {
      this.each(path, members(before, key), members(after, key), secret)
    } else if (!Object.is(before, after)) {
      this.changes.push({
        kind: before === undefined ? "added" : after === undefined ? "removed" : "changed",
        path: this.secrets.reduce((text, value) => text.replaceAll(value, REDACTED), path),
        ...(before === undefined ? {} : { before: this.render(before, secret) }),
        ...(after === undefined ? {} : { after: this.render(after, secret) })
      })
    }
  }

  private each(
    path: string,
    before: ReadonlyMap<string, unknown>,
    after: ReadonlyMap<string, unknown>,
    secret: boolean
  ): void {
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      this.compare(
        `${path}.${looksSecret(name) ? REDACTED : name}`,
        before.get(name),
        after.get(name),
        secret || isSecretName(name)
      )
    }
  }
}

/**
 * The parameters that differ, in the order of the lists. The version is not one of them. Without a bundle before, every entry
 * is added.
 */
export const diff = (before: Bundle | undefined, after: Bundle): ReadonlyArray<Change> => {
  const walk = new Walk([...secretsOf(before), ...secretsOf(after)])
  for (const list of listNames) {
    walk.compare(list, before?.[list] ?? [], after[list], list === "openai_keys", entryKey[list])
  }
  return walk.changes
}

/** The ids of a bundle's keys, fit to be shown: a key that was given as an id is not. */
export const shownKeyIds = (bundle: Bundle): ReadonlyArray<string> => {
  const walk = new Walk(secretsOf(bundle))
  return bundle.openai_keys.map(({ id }) => walk.clean(String(id)))
}

const sign = { added: "+", removed: "-", changed: "~" } as const

/** One change on one line: `~ model_configs.gpt-4o.costs.input: 2.5 → 3`. */
export const renderChange = (change: Change): string => {
  const values = [change.before, change.after].filter((value) => value !== undefined && value !== "{…}")
  return `${sign[change.kind]} ${change.path}${values.length === 0 ? "" : `: ${values.join(" → ")}`}`
}

/** Changes for a log line, at most `limit` of them. */
export const renderChanges = (changes: ReadonlyArray<Change>, limit = 100): ReadonlyArray<string> => {
  const lines = changes.slice(0, limit).map(renderChange)
  return changes.length > limit ? [...lines, `… and ${changes.length - limit} more`] : lines
}
