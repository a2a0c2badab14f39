/** So many characters are written at a time. */
const piece = 65_536

function* quoted(text: string): Generator<string, void> {
  yield '"'
  // Half a pair at the end of a piece is written as an escape, and so is the other half: they are read as one character.
  for (let at = 0; at < text.length; at += piece) yield JSON.stringify(text.slice(at, at + piece)).slice(1, -1)
  yield '"'
}

/**
 * The JSON of an object of texts in pieces, each of which takes a few milliseconds to make at most. At once the lone
 * surrogates of 1 MiB that is not UTF-8 (see `domain/text/escapedBytes`) take more than 100 ms.
 */
export function* textsJson(texts: Readonly<Record<string, string>>): Generator<string, void> {
  let before = "{"
  for (const [name, text] of Object.entries(texts)) {
    yield before
    yield* quoted(name)
    yield ":"
    yield* quoted(text)
    before = ","
  }
  yield before === "{" ? "{}" : "}"
}
