import type { buildConnector } from "undici/index.js"

const VERSION_AND_ONE = Buffer.from("HTTP/1.1 1")
const END = Buffer.from("\r\n\r\n")
const [CR, ZERO, TWO] = [13, 48, 50]

/**
 * Looks for `100 Continue` at the head of an answer: undici skips every interim answer but this one, at which it closes the
 * connection. RFC 9110 (section 15.2) has a client skip it even where it did not ask, so it is read as 102.
 */
export class InterimAnswers {
  private at: "status" | "head" | "final" = "final"
  private matched = 0
  private isZero = false

  /** A request is about to be sent on the connection. */
  expect(): void {
    this.at = "status"
    this.matched = 0
  }

  /** Has all that is read from a connection looked through. */
  watching(connect: buildConnector.connector): buildConnector.connector {
    return (target, done) =>
      connect(target, (...[error, socket]) => {
        if (error !== null) return done(error, null)
        const read = socket.read.bind(socket)
        socket.read = (size?: number) => {
          const bytes: unknown = read(size)
          if (this.at !== "final" && Buffer.isBuffer(bytes)) this.look(bytes)
          return bytes
        }
        done(null, socket)
      })
  }

  private look(bytes: Buffer): void {
    for (let i = 0; i < bytes.length && this.at !== "final"; i++) {
      const byte = bytes[i]
      if (this.at === "head") {
        this.matched = byte === END[this.matched] ? this.matched + 1 : byte === CR ? 1 : 0
        if (this.matched === END.length) this.expect()
      } else this.lookAtStatus(bytes, i)
    }
  }

  private lookAtStatus(bytes: Buffer, i: number): void {
    const byte = bytes[i]
    const at = this.matched++
    if (at < VERSION_AND_ONE.length) {
      if (byte !== VERSION_AND_ONE[at]) this.at = "final"
    } else if (at === VERSION_AND_ONE.length) this.isZero = byte === ZERO
    else {
      if (this.isZero && byte === ZERO) bytes[i] = TWO
      this.at = "head"
      this.matched = 0
    }
  }
}
