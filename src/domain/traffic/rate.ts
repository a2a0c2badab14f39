/** Rates as people write them: `200 per second`, `100/s`, `6000 per minute`. */

/** So many in so long, in milliseconds. */
export interface Rate {
  readonly count: number
  readonly perMs: number
}

const units: ReadonlyArray<readonly [name: string, perMs: number, spelt: RegExp]> = [
  ["second", 1_000, /^(?:s|sec|seconds?)$/],
  ["minute", 60_000, /^(?:m|min|minutes?)$/],
  ["hour", 3_600_000, /^(?:h|hours?)$/]
]

/** The spans that a rate may be over. */
export const rateSpansMs: ReadonlyArray<number> = units.map(([, perMs]) => perMs)

/** What a rate must be, as an error says it. */
export const rateRule =
  'a whole number from 1 to 1,000,000 per second, minute or hour, such as "200 per second" or 100/s'

export const mostPerSpan = 1_000_000

/** Whether it is a rate as a text may name one. */
export const isRate = ({ count, perMs }: Rate): boolean =>
  Number.isSafeInteger(count) && count >= 1 && count <= mostPerSpan && rateSpansMs.includes(perMs)

/** The lower of two rates, where both are set. */
export const lowerRate = (a: Rate | undefined, b: Rate | undefined): Rate | undefined => {
  if (a === undefined || b === undefined) return a ?? b
  return a.count * b.perMs <= b.count * a.perMs ? a : b
}

/** The rate that a text names; undefined if it is none. */
export const rateOf = (text: string): Rate | undefined => {
  const [, digits = "", unit = ""] = /^\s*(\d{1,7})\s*(?:per\b|\/)\s*([a-z]+)\s*$/i.exec(text) ?? []
  const count = Number(digits)
  const perMs = units.find(([, , spelt]) => spelt.test(unit.toLowerCase()))?.[1]
  return perMs === undefined || count < 1 || count > mostPerSpan ? undefined : { count, perMs }
}

export const shownRate = ({ count, perMs }: Rate): string =>
  `${count} per ${units.find(([, unitMs]) => unitMs === perMs)?.[0] ?? `${perMs} ms`}`
