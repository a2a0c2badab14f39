/** What makes errors of one cause the same error, whichever event, user or minute they name. */

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi
/** A hash, a token or a generated id: long, of one word, and with a digit in it. */
const longWord = /\b(?=[a-z_]{0,64}\d)[a-z\d_]{12,}\b/gi
const number = /\d+(?:[.,:]\d+)*/g

/** More of a message than this tells no two causes apart. */
const mostFolded = 160

/** An error's code and message with ids and numbers as `#`: `HTTP_404 no user #`. */
export const foldError = (code: string, message: string): string => {
  const folded = message
    .slice(0, 4 * mostFolded)
    .replace(uuid, "#")
    .replace(longWord, "#")
    .replace(number, "#")
    .replace(/\s+/g, " ")
    .trim()
  return `${code} ${folded}`.slice(0, mostFolded).trim()
}
