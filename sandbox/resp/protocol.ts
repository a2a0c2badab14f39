/**
 * The Redis serialization protocol, version 2 (RESP2), as a server needs it: commands in (arrays of bulk strings, or
 * inline), replies out. Text is as the `Redis` service has it: bytes that are not UTF-8 are escaped.
 */
import { bytesOfText, hasEscapedBytes, textOfBytes } from "../../src/services/Redis.ts"

/** A reply as the `Redis` service gives it. */
export type Reply = string | number | null | ReadonlyArray<Reply>

/** Bytes that are not RESP: the connection cannot go on. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError"
}

const MAX_ARGUMENTS = 1_048_576
const MAX_BULK = 512 * 1024 * 1024
const CRLF = Buffer.from("\r\n")

/** Cuts a stream of bytes into commands, each its name and arguments. */
export class CommandParser {
  private buffer: Buffer = Buffer.alloc(0)

  /** The commands that are whole with these bytes. */
  push(bytes: Buffer): Array<ReadonlyArray<string>> {
    this.buffer = this.buffer.length === 0 ? bytes : Buffer.concat([this.buffer, bytes])
    const commands: Array<ReadonlyArray<string>> = []
    let at = 0
    for (;;) {
      const read = this.command(at)
      if (read === undefined) break
      at = read.end
      if (read.words.length > 0) commands.push(read.words)
    }
    this.buffer = this.buffer.subarray(at)
    return commands
  }

  private line(at: number): { readonly text: string; readonly end: number } | undefined {
    const end = this.buffer.indexOf(CRLF, at)
    if (end < 0) {
      if (this.buffer.length - at > 65_536) throw new ProtocolError("ERR Protocol error: too big inline request")
      return undefined
    }
    return { text: this.buffer.toString("utf8", at, end), end: end + 2 }
  }

  private count(text: string, most: number, what: string): number {
    const count = /^-?\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    if (!(count <= most)) throw new ProtocolError(`ERR Protocol error: invalid ${what} length`)
    return count
  }

  private command(start: number): { readonly words: ReadonlyArray<string>; readonly end: number } | undefined {
    if (start >= this.buffer.length) return undefined
    const head = this.line(start)
    if (head === undefined) return undefined
    if (!head.text.startsWith("*"))
      return { words: head.text.split(/\s+/).filter((word) => word !== ""), end: head.end }
    const words: Array<string> = []
    let at = head.end
    for (let left = this.count(head.text.slice(1), MAX_ARGUMENTS, "multibulk"); left > 0; left--) {
      const bulk = this.line(at)
      if (bulk === undefined) return undefined
      if (!bulk.text.startsWith("$")) {
        throw new ProtocolError(`ERR Protocol error: expected '$', got '${bulk.text.slice(0, 1)}'`)
      }
      const length = this.count(bulk.text.slice(1), MAX_BULK, "bulk")
      if (length < 0) throw new ProtocolError("ERR Protocol error: invalid bulk length")
      const end = bulk.end + length
      if (this.buffer.length < end + 2) return undefined
      words.push(textOfBytes(this.buffer.subarray(bulk.end, end)))
      at = end + 2
    }
    return { words, end: at }
  }
}

const bulk = (text: string): string | Buffer => {
  if (!hasEscapedBytes(text)) return `$${Buffer.byteLength(text)}\r\n${text}\r\n`
  const bytes = bytesOfText(text)
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF])
}

const parts = (reply: Reply, out: Array<string | Buffer>): void => {
  if (reply === null) out.push("$-1\r\n")
  else if (typeof reply === "number") out.push(`:${reply}\r\n`)
  else if (typeof reply === "string") out.push(bulk(reply))
  else {
    out.push(`*${reply.length}\r\n`)
    for (const one of reply) parts(one, out)
  }
}

/** A reply's bytes. */
export const encodeReply = (reply: Reply): Buffer => {
  const out: Array<string | Buffer> = []
  parts(reply, out)
  return Buffer.concat(out.map((part) => (typeof part === "string" ? Buffer.from(part) : part)))
}

/** An error reply: one line. */
export const encodeError = (message: string): Buffer => Buffer.from(`-${message.replace(/[\r\n]+/g, " ")}\r\n`)
