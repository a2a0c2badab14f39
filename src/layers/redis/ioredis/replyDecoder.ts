import { isUtf8 } from "node:buffer"
import { cutTextOf, LongText } from "./longText.ts"
import { textAt } from "./text.ts"

/** An error that Redis itself answered, as opposed to one of the connection. */
export class ReplyError extends Error {
  override readonly name = "ReplyError"
}

/** Whatever a server sends that is no reply to a command. */
export class Unreadable extends Error {}

const notRedis = () => new Unreadable("it does not speak the Redis protocol")

/** Deeper than any reply that Redis gives to what is asked here. */
const maxDepth = 64
/** Longer than any line that Redis sends: texts come as bulk strings, of which a line says the length. */
const maxLine = 65_536
/** More bytes than a DLQ entry may have, each character of its event escaped: a longer text is none of this project's. */
const longest = 8 * 1_048_576
/** What is written as UTF-8 is never longer than this where it is not: no event is. */
const longestBinary = 1_048_576
/** Redis takes no bulk string of more than 512 MB, and no number has more digits than these hold. */
const maxDigits = 19

const [CR, LF, MINUS] = [13, 10, 45]
const [SIMPLE, ERROR, NUMBER, BULK, LIST, PUSH] = [43, 45, 58, 36, 42, 62]

/** The digit at a place of a number; a number has nothing else but its sign. */
const digitAt = (bytes: Buffer, at: number): number => {
  const digit = (bytes[at] ?? 0) - 48
  if (digit < 0 || digit > 9) throw notRedis()
  return digit
}

interface OpenList {
  readonly items: Array<unknown>
  readonly size: number
}

/**
 * Reads the replies of RESP2 from bytes in whatever pieces they come. Strings are text with escaped bytes (see
 * `services/Redis`), an error is a {@link ReplyError}, and nulls are `null`. `write` throws {@link Unreadable} for bytes that are no replies,
 * and the decoder is of no use after that.
 *
 * ioredis's own decoder reads RESP3 as well and keeps its state in private fields that are compiled to function calls: it
 * took 15 of the 243 µs of a delivered event (decision 022).
 */
export class ReplyDecoder {
  private readonly onReply: (reply: unknown) => void
  /** What came since the last value that was whole. */
  private pieces: Array<Buffer> = []
  private size = 0
  /** How many bytes must have come before it is worth to look again. */
  private needed = 1
  private readonly open: Array<OpenList> = []
  /** Where the line ends that was read last: behind its CR and LF. */
  private next = 0
  /** A text that is too long, while it comes. */
  private long: LongText | undefined
  /** The line break behind such a text is still to come. */
  private longEnds = false

  constructor(onReply: (reply: unknown) => void) {
    this.onReply = onReply
  }

  write(received: Buffer): void {
    const piece = this.long === undefined ? received : this.takeLong(this.long, received)
    if (piece.length === 0) return
    this.pieces.push(piece)
    this.size += piece.length
    if (this.size < this.needed) return
    const bytes = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces, this.size)
    const rest = this.read(bytes)
    this.size = bytes.length - rest
    this.pieces = this.size === 0 ? [] : [bytes.subarray(rest)]
  }

  /** Reads all values that are whole: where the first begins that is not. */
  private read(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length) {
      if (this.longEnds) {
        if (bytes.length < at + 2) return this.wait(bytes, at)
        if (bytes[at] !== CR || bytes[at + 1] !== LF) throw notRedis()
        this.longEnds = false
        at += 2
        continue
      }
      const type = bytes[at]
      if (type === BULK) {
        const length = this.number(bytes, at + 1)
        if (length === undefined) return this.wait(bytes, at)
        if (length < 0) this.settle(null)
        else if (length > longest) {
          const rest = this.takeLong(new LongText(length), bytes.subarray(this.next))
          this.next = bytes.length - rest.length
        } else {
          const end = this.next + length
          if (bytes.length < end + 2) {
            this.needed = end + 2 - at
            return at
          }
          if (bytes[end] !== CR || bytes[end + 1] !== LF) throw notRedis()
          this.settle(
            length > longestBinary && !isUtf8(bytes.subarray(this.next, end))
              ? cutTextOf(bytes.subarray(this.next, end))
              : textAt(bytes, this.next, end)
          )
          this.next = end + 2
        }
      } else if (type === LIST) {
        const size = this.number(bytes, at + 1)
        if (size === undefined) return this.wait(bytes, at)
        if (size > 0) this.begin(size)
        else this.settle(size < 0 ? null : [])
      } else if (type === NUMBER) {
        const number = this.number(bytes, at + 1)
        if (number === undefined) return this.wait(bytes, at)
        this.settle(number)
      } else if (type === SIMPLE || type === ERROR) {
        const end = bytes.indexOf(CR, at)
        if (end < 0 || end + 1 >= bytes.length) return this.wait(bytes, at)
        if (bytes[end + 1] !== LF) throw notRedis()
        this.next = end + 2
        const text = textAt(bytes, at + 1, end)
        this.settle(type === ERROR ? new ReplyError(text) : text)
      } else if (type === PUSH) throw new Unreadable("it sent a push message, which RESP2 does not have")
      else throw notRedis()
      at = this.next
    }
    this.needed = 1
    return at
  }

  /** Takes bytes of a text that is too long: what follows it. */
  private takeLong(long: LongText, bytes: Buffer): Buffer {
    this.long = long
    const own = bytes.subarray(0, long.missing)
    const text = long.take(own)
    if (text === undefined) return bytes.subarray(own.length)
    this.long = undefined
    this.longEnds = true
    this.settle(text)
    return bytes.subarray(own.length)
  }

  /** The number of a line; undefined where the line is not whole. Nearly all lines are such, of two digits. */
  private number(bytes: Buffer, start: number): number | undefined {
    const negative = bytes[start] === MINUS
    const first = negative ? start + 1 : start
    let number = 0
    let at = first
    for (; at < bytes.length && bytes[at] !== CR; at++) {
      if (at - first >= maxDigits) throw notRedis()
      number = number * 10 + digitAt(bytes, at)
    }
    if (at + 1 >= bytes.length) return undefined
    if (at === first || bytes[at + 1] !== LF) throw notRedis()
    this.next = at + 2
    return negative ? -number : number
  }

  private wait(bytes: Buffer, at: number): number {
    const length = bytes.length - at
    if (length > maxLine) throw notRedis()
    this.needed = length + 1
    return at
  }

  private begin(size: number): void {
    if (this.open.length === maxDepth) throw new Unreadable("its reply is nested too deeply to be read")
    this.open.push({ items: [], size })
  }

  /** Takes in a value that is whole, and the lists that are whole with it. */
  private settle(value: unknown): void {
    let whole = value
    for (let list = this.open.at(-1); list !== undefined; list = this.open.at(-1)) {
      list.items.push(whole)
      if (list.items.length < list.size) return
      this.open.pop()
      whole = list.items
    }
    this.onReply(whole)
  }
}
