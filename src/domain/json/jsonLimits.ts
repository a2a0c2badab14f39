/**
 * Limits of the JSON that others write, told before it is parsed: deep or wide JSON of a legal size takes its parser, and all
 * who walk through the value, longer than the process may be deaf (contract section 3).
 */

const maxDepth = 64
const maxMembers = 10_000

const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92

/** Where the string ends that begins at a quote. */
const endOfString = (json: string, start: number): number => {
  let at = start + 1
  for (; at < json.length; at++) {
    const unit = json.charCodeAt(at)
    if (unit === BACKSLASH) at += 1
    else if (unit === QUOTE) break
  }
  return at
}

const count = (text: string, character: string): number => {
  let times = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) times += 1
  return times
}

/** Whether a text has too few characters and brackets to break a limit, as nearly all have: told without a look at each character. */
const isSmall = (json: string): boolean => json.length <= maxMembers && count(json, "{") + count(json, "[") <= maxDepth

/** What a text that may be JSON has too much of; undefined where nothing. */
export const jsonLimitProblem = (json: string): string | undefined => {
  if (isSmall(json)) return undefined
  let depth = 0
  let members = 0
  // Whether an array or object just began: what comes next is its first member, or its end.
  let begun = false
  for (let at = 0; at < json.length; at++) {
    const unit = json.charCodeAt(at)
    if (unit <= 32) continue
    const closes = unit === 93 || unit === 125
    if (unit === COMMA || (begun && !closes)) members += 1
    begun = unit === 91 || unit === 123
    if (begun) depth += 1
    else if (closes) depth -= 1
    else if (unit === QUOTE) at = endOfString(json, at)
    if (depth > maxDepth) return `must not be nested deeper than ${maxDepth} levels`
    if (members > maxMembers) return "must have at most 10,000 members in all"
  }
  return undefined
}
