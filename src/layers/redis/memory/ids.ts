/** Ids of stream entries: two unsigned 64-bit integers, written `<milliseconds>-<sequence>`. */

/** Half an id: a number while that is exact, else a bigint, so that equal halves are always `===`. */
export type Half = number | bigint

export interface Id {
  readonly ms: Half
  readonly seq: Half
}

const MAX_HALF = 18_446_744_073_709_551_615n

export const ZERO: Id = { ms: 0, seq: 0 }
export const MAX: Id = { ms: MAX_HALF, seq: MAX_HALF }

/** Negative, 0 or positive as `a` is before, equal to or after `b`. */
export const compareIds = (a: Id, b: Id): number => {
  if (a.ms !== b.ms) return a.ms < b.ms ? -1 : 1
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1
  return 0
}

export const formatId = (id: Id): string => `${id.ms}-${id.seq}`

const half = (exact: bigint): Half => (exact <= Number.MAX_SAFE_INTEGER ? Number(exact) : exact)
const above = (n: Half): Half => (typeof n === "number" && n < Number.MAX_SAFE_INTEGER ? n + 1 : half(BigInt(n) + 1n))
const below = (n: Half): Half => (typeof n === "number" ? n - 1 : half(n - 1n))

/** The next id, or undefined after the greatest. */
export const nextId = (id: Id): Id | undefined => {
  if (id.seq !== MAX_HALF) return { ms: id.ms, seq: above(id.seq) }
  return id.ms === MAX_HALF ? undefined : { ms: above(id.ms), seq: 0 }
}

/** The id before, or undefined before `0-0`. */
export const previousId = (id: Id): Id | undefined => {
  if (id.seq !== 0) return { ms: id.ms, seq: below(id.seq) }
  return id.ms === 0 ? undefined : { ms: below(id.ms), seq: MAX_HALF }
}

/** The id `XADD *` gives at a time, after a last id: time never goes back. Undefined where none is left. */
export const generateId = (last: Id, now: number): Id | undefined =>
  now > last.ms ? { ms: now, seq: 0 } : nextId(last)

/** The id `XADD <ms>-*` gives, or undefined where none is left for this millisecond. */
export const generateSequence = (last: Id, ms: Half): Id | undefined => {
  if (last.ms !== ms) return { ms, seq: 0 }
  return last.seq === MAX_HALF ? undefined : { ms, seq: above(last.seq) }
}

const ZERO_CODE = 48
/** What C's strtoull takes: white space, a plus sign and leading zeros are allowed. */
const UNSIGNED = /^[ \t\n\v\f\r]*\+?\d+$/

const parseHalf = (text: string, from: number, to: number): Half | undefined => {
  const length = to - from
  if (length > 0 && length <= 15) {
    let value = 0
    let at = from
    for (; at < to; at++) {
      const digit = text.charCodeAt(at) - ZERO_CODE
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (at === to) return value
  }
  const slice = text.slice(from, to)
  if (!UNSIGNED.test(slice)) return undefined
  const exact = BigInt(slice.replace("+", "").trim())
  return exact <= MAX_HALF ? half(exact) : undefined
}

/** An id in full, or its milliseconds alone with the sequence given; undefined if it is neither. */
export const parseId = (text: string, missingSequence: Half = 0): Id | undefined => {
  if (text.length > 127) return undefined
  const dash = text.indexOf("-")
  const ms = parseHalf(text, 0, dash === -1 ? text.length : dash)
  const seq = dash === -1 ? missingSequence : parseHalf(text, dash + 1, text.length)
  return ms === undefined || seq === undefined ? undefined : { ms, seq }
}

/** The milliseconds of `<ms>-*`, or undefined if the text is not of that form. */
export const parseOpenSequence = (text: string): Half | undefined =>
  text.length <= 127 && text.endsWith("-*") ? parseHalf(text, 0, text.length - 2) : undefined

/** The end of a range, as XRANGE takes it: `-`, `+`, an id, or `(` and an id for an exclusive end. */
export interface Bound {
  readonly id: Id
  readonly exclusive: boolean
}

/** Parses one end of a range; an id without sequence is completed to the lowest or the highest of its millisecond. */
export const parseBound = (text: string, end: "start" | "end"): Bound | undefined => {
  if (text === "-") return { id: ZERO, exclusive: false }
  if (text === "+") return { id: MAX, exclusive: false }
  const exclusive = text.length > 1 && text.startsWith("(")
  const id = parseId(exclusive ? text.slice(1) : text, end === "start" ? 0 : MAX_HALF)
  return id === undefined ? undefined : { id, exclusive }
}
