/**
 * JSON whose numbers keep their digits. A number that a double does not hold is parsed as a {@link LongNumber}, which
 * `JSON.stringify` writes back as it was written; everything else is parsed as by `JSON.parse`.
 */

/** A number of more digits, or of a larger power of ten, than a double holds: `12345678901234567891`, `1e400`. */
export interface LongNumber {
  /** The number as it was written. */
  readonly rawJSON: string
}

/** What ES2026 adds, in Node since 21; TypeScript does not know it yet. */
interface SourceTextAccess {
  readonly parse: (
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown
  ) => unknown
  readonly rawJSON: (text: string) => LongNumber
  readonly isRawJSON: (value: unknown) => value is LongNumber
}
const sourceText = JSON as unknown as SourceTextAccess

export const { isRawJSON: isLongNumber } = sourceText

/** Where a number stands that a double may not hold: of 16 digits and more, or with an exponent of three. */
const MAYBE_LONG = /(?:^|[\s:,[])-?(?:[\d.]{16}|[\d.]+[eE][+-]?\d{3})/

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/

/** One text for all the ways to write a decimal number: `1.50`, `15e-1`. */
const decimal = (text: string): string => {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = NUMBER.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+/, "")
  let length = digits.length
  // By hand: the pattern /0+$/ takes a time that grows with the square of the zeros in the middle.
  while (digits[length - 1] === "0") length -= 1
  return length === 0
    ? "0"
    : `${sign}${digits.slice(0, length)}e${Number(exponent) - fraction.length + digits.length - length}`
}

const holds = (value: number, source: string): boolean =>
  `${value}` === source || (Number.isFinite(value) && decimal(`${value}`) === decimal(source))

/** As `JSON.parse`, but for long numbers. Throws where the text is not JSON. */
export const parseLossless = (text: string): unknown =>
  MAYBE_LONG.test(text)
    ? sourceText.parse(text, (_key, value, { source }) =>
        typeof value !== "number" || source === undefined || holds(value, source) ? value : sourceText.rawJSON(source)
      )
    : JSON.parse(text)

/** The double nearest to a number, long or not; undefined for anything else. */
export const nearestDouble = (value: unknown): number | undefined =>
  typeof value === "number" ? value : isLongNumber(value) ? Number(value.rawJSON) : undefined

/** The same value with doubles for its long numbers, as `JSON.parse` would have given it. */
export const withDoubles = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withDoubles)
  if (typeof value !== "object" || value === null || isLongNumber(value)) return nearestDouble(value) ?? value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withDoubles(member)]))
}
