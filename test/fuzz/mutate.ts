/** Changes inputs at random, as text, as JSON, and as lists of names and values. */
import type { Chance } from "../../src/testing/world/chance.ts"
import type { Input } from "./target.ts"

const nasty: ReadonlyArray<string> = [
  "",
  " ",
  "\0",
  "\n",
  "\r\n",
  "\u001b[2J",
  "\u0085",
  "\u202e",
  "\u2028",
  "\ud800",
  "\udc80",
  "\udfff",
  "\ufeff",
  "\ufffd",
  "😀",
  "é",
  "__proto__",
  "constructor",
  "toString",
  "#2",
  "null",
  "true",
  "NaN",
  "Infinity",
  "-0",
  "0",
  "1",
  "-1",
  "0x10",
  "1e400",
  "1.7e308",
  "1e-400",
  "9007199254740993",
  "18446744073709551615",
  "18446744073709551616",
  "8640000000000001",
  "253402300800000",
  "0.1000000000000000055511151231257827",
  '"',
  "\\",
  "\\u0000",
  "\\ud800",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "=",
  ";",
  "%",
  "+"
]

const nastyValues: ReadonlyArray<unknown> = [
  null,
  true,
  0,
  -0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  8.64e15 + 1,
  "",
  "x",
  "__proto__",
  "\u0000",
  "\ud800",
  [],
  {},
  [[]],
  [null]
]

const splice = (text: string, at: number, removed: number, added: string): string =>
  text.slice(0, at) + added + text.slice(at + removed)

/** Somewhere in a JSON value something is put in the place of another, left out, or wrapped up. */
const mutateValue = (value: unknown, chance: Chance, depth = 0): unknown => {
  const stop = typeof value !== "object" || value === null || chance.yes(0.15) || depth > 20
  if (stop) {
    if (chance.yes(0.2)) return [value]
    return chance.yes(0.1) ? { [chance.pick(nasty)]: value } : chance.pick(nastyValues)
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return chance.pick(nastyValues)
  const at = chance.int(0, entries.length - 1)
  const [key = "", member] = entries[at] ?? []
  if (chance.yes(0.15)) entries.splice(at, 1)
  else if (chance.yes(0.1)) entries.push([chance.pick(nasty), member])
  else entries[at] = [key, mutateValue(member, chance, depth + 1)]
  return Array.isArray(value) ? entries.map(([, item]) => item) : Object.fromEntries(entries)
}

const asJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A megabyte of something. */
const vast = 1_048_576

/** Nothing larger is made: what is tried has to fit into memory a few times. */
const largest = 4 * vast

const mutateText = (
  text: string,
  words: ReadonlyArray<string>,
  others: ReadonlyArray<string>,
  chance: Chance
): string => {
  const value = text.length < 65_536 && chance.yes(0.4) ? asJson(text) : undefined
  if (typeof value === "object" && value !== null) return JSON.stringify(mutateValue(value, chance)) ?? ""
  const at = chance.int(0, text.length)
  const length = Math.min(text.length - at, Math.floor(chance.exponential(4)))
  const piece = text.slice(at, at + length + 1)
  switch (chance.int(0, 8)) {
    case 0:
      return splice(text, at, 0, chance.pick(nasty))
    case 1:
      return splice(text, at, length, chance.pick(nasty))
    case 2:
      return splice(text, at, length, words.length === 0 ? "" : chance.pick(words))
    case 3:
      return splice(text, at, length, "")
    case 4:
      return splice(text, at, 1, String.fromCharCode(chance.yes(0.7) ? chance.int(0, 255) : chance.int(0, 65_535)))
    case 5:
      return splice(text, at, 0, piece.repeat(chance.int(1, 40)))
    case 6: {
      const other = others.length === 0 ? "" : chance.pick(others)
      return text.slice(0, at) + other.slice(chance.int(0, other.length))
    }
    case 7:
      // Seldom and large: what takes a time that grows with the square shows here.
      return chance.yes(0.04) && piece !== ""
        ? splice(text, at, 0, piece.repeat(Math.ceil(vast / piece.length)))
        : piece
    default:
      return text.replace(/-?\d+/, chance.pick(nasty))
  }
}

/** Another input, made from one: a few changes, each where chance has it. */
export const mutate = (
  input: Input,
  words: ReadonlyArray<string>,
  pool: ReadonlyArray<Input>,
  chance: Chance
): Input => {
  const mutant = [...input]
  for (let changes = 1 + Math.floor(chance.exponential(1)); changes > 0; changes--) {
    const at = chance.int(0, Math.max(0, mutant.length - 1))
    const drawn = chance.next()
    const pair = mutant.slice(at - (at % 2), at - (at % 2) + 2)
    if (drawn < 0.06) mutant.splice(at, chance.int(1, 2))
    else if (drawn < 0.12) mutant.splice(at, 0, ...pair)
    else if (drawn < 0.15) mutant.push(...chance.pick(pool))
    else if (drawn < 0.155) for (let i = 0; i < 300; i++) mutant.push(`${pair[0] ?? ""}${i}`, pair[1] ?? "")
    else mutant[at] = mutateText(mutant[at] ?? "", words, chance.pick(pool), chance)
  }
  let size = 0
  for (const text of mutant) size += text.length
  return size <= largest ? mutant : input
}
