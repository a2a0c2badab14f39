/**
 * A text too long to be read: it stands as its start, and how many bytes it had with which hash. It is told from any other by
 * lone high surrogates, which no bytes decode to (see `escapedBytes.ts`), so that it can go wherever a text goes.
 */
const mark = "\ud800\ud800"

export interface CutText {
  /** Its first characters. */
  readonly start: string
  /** How many bytes it had in all. */
  readonly bytes: number
  /** Of all its bytes, in hex. */
  readonly sha256: string
}

export const writeCut = ({ bytes, sha256, start }: CutText): string => `${start}${mark}${bytes} ${sha256}`

/** Whether a text is one of {@link writeCut}. Nearly every text is well-formed, which is told without looking at it. */
export const isCut = (text: string): boolean => !text.isWellFormed() && text.includes(mark)

export const readCut = (text: string): CutText | undefined => {
  if (!isCut(text)) return undefined
  const at = text.lastIndexOf(mark)
  const [bytes, sha256] = text.slice(at + mark.length).split(" ")
  return { start: text.slice(0, at), bytes: Number(bytes), sha256: sha256 ?? "" }
}
