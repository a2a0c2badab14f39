import { createHash } from "node:crypto"
import { writeCut } from "../../../domain/text/cutText.ts"
import { textAt } from "./text.ts"

/** How many bytes are kept of a text that is too long. */
const kept = 4_096

/** What stands for bytes that are not read as text: their start, how many they are, and their hash. */
export const cutTextOf = (bytes: Buffer): string => new LongText(bytes.length).take(bytes) ?? ""

/**
 * A bulk string too long to be made a text of, which would hold up the process: its bytes are hashed as they come, and only its
 * start is kept.
 */
export class LongText {
  private readonly length: number
  private readonly hash = createHash("sha256")
  private readonly starts: Array<Buffer> = []
  private taken = 0

  constructor(length: number) {
    this.length = length
  }

  /** How many of its bytes are still to come. */
  get missing(): number {
    return this.length - this.taken
  }

  /** Takes in its next bytes: what stands for it once it is whole. */
  take(bytes: Buffer): string | undefined {
    this.hash.update(bytes)
    if (this.taken < kept) this.starts.push(Buffer.from(bytes.subarray(0, kept - this.taken)))
    this.taken += bytes.length
    if (this.missing > 0) return undefined
    const start = Buffer.concat(this.starts)
    return writeCut({ start: textAt(start, 0, start.length), bytes: this.length, sha256: this.hash.digest("hex") })
  }
}
