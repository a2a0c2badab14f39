/**
 * Text that others wrote (producers, the API, Redis), made fit for a terminal or a log line: it can neither steer the
 * terminal nor end a line and begin a forged one, nor reorder what stands beside it.
 */

/** Control and format characters (bidirectional marks, zero widths), separators of lines, halves of a surrogate pair. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu
const unprintableRun = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }

/** A character as JSON may write it, so that JSON stays the same value. */
const escaped = (character: string): string =>
  named[character] ??
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("")

/** One line, what is unprintable in it written as an escape (`\u202e`). Of a line of JSON the value stays the same. */
export const printable = (text: string): string => text.replace(unprintable, escaped)

/** Lines of our own: each made printable, the breaks between them kept. */
export const printableLines = (text: string): string => text.split("\n").map(printable).join("\n")

/** A value as JSON whose text is printable. */
export const printableJson = (value: unknown, indent?: number): string =>
  printableLines(JSON.stringify(value, null, indent))

/** One line, each run of what is unprintable turned into a blank: for text that is kept. */
export const blanked = (text: string): string => text.replace(unprintableRun, " ")

/** At most so many UTF-16 units; where there were more, an ellipsis is the last, and no surrogate pair is halved. */
export const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "")}…`
