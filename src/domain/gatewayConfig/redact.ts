/** Keeps secrets out of what is shown of a bundle: the values under its key lists, and what looks like a key or a password. */
import { isLongNumber } from "../json/losslessJson.ts"
import type { Bundle } from "./bundle.ts"

export const REDACTED = "[redacted]"

/** What looks secret wherever it stands: a provider's key, a URL with a password. */
const SECRET_LOOK = /\b(?:sk|pk|rk)-[A-Za-z0-9_-]{8,}|:\/\/[^/\s]*@/g

/** Shorter strings are found everywhere. */
const SHORTEST = 4
/** Of a longer secret its beginning is looked for. */
const LONGEST = 512
/** A longer text is cut. */
export const MAX_SHOWN = 120

/** The secrets of some bundles. A text is searched for all of them at once, in a time that grows with its length alone. */
export class Secrets {
  private readonly values = new Set<string>()
  /** The lengths of the secrets that begin with the same letters, the longest first. */
  private readonly lengths = new Map<string, Array<number>>()

  constructor(...bundles: ReadonlyArray<Bundle | undefined>) {
    for (const bundle of bundles) this.collect(bundle?.openai_keys, "")
    for (const lengths of this.lengths.values()) lengths.sort((a, b) => b - a)
  }

  /** Every string under a key list, but for the ids. */
  private collect(value: unknown, name: string): void {
    if (typeof value === "string" && name !== "id" && value.length >= SHORTEST) this.add(value.slice(0, LONGEST))
    if (typeof value !== "object" || value === null || isLongNumber(value)) return
    for (const [key, member] of Object.entries(value)) this.collect(member, key)
  }

  private add(secret: string): void {
    this.values.add(secret)
    const start = secret.slice(0, SHORTEST)
    const lengths = this.lengths.get(start)
    if (lengths === undefined) this.lengths.set(start, [secret.length])
    else if (!lengths.includes(secret.length)) lengths.push(secret.length)
  }

  /** The text with every secret in it replaced. */
  redact(text: string): string {
    let shown = ""
    let from = 0
    for (let at = 0; at + SHORTEST <= text.length; ) {
      const lengths = this.lengths.get(text.slice(at, at + SHORTEST)) ?? []
      const length = lengths.find((length) => this.values.has(text.slice(at, at + length)))
      if (length === undefined) at += 1
      else {
        shown += text.slice(from, at) + REDACTED
        at += length
        from = at
      }
    }
    return (shown + text.slice(from)).replace(SECRET_LOOK, REDACTED)
  }

  /** Whether there is a secret in the text, as far as it is shown: one that begins there may end behind it. */
  touch(text: string): boolean {
    const seen = text.slice(0, MAX_SHOWN + LONGEST)
    return this.redact(seen) !== seen
  }

  /** A name for a path: redacted, and cut where it is long. */
  name(text: string): string {
    if (text.length <= MAX_SHOWN) return this.redact(text)
    return this.touch(text) ? REDACTED : `${text.slice(0, MAX_SHOWN)}…`
  }
}
