import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { readCut } from "../../src/domain/text/cutText.ts"
import { ReplyDecoder, ReplyError, Unreadable } from "../../src/layers/redis/ioredis/replyDecoder.ts"

type Reply = string | number | null | ReplyError | ReadonlyArray<Reply>

const encoded = (reply: Reply): string => {
  if (reply === null) return "$-1\r\n"
  if (typeof reply === "number") return `:${reply}\r\n`
  if (typeof reply === "string") return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`
  if (reply instanceof ReplyError) return `-${reply.message}\r\n`
  return `*${reply.length}\r\n${reply.map(encoded).join("")}`
}

/** What the decoder makes of bytes that come in these pieces. */
const decoded = (pieces: Iterable<Buffer>): ReadonlyArray<unknown> => {
  const replies: Array<unknown> = []
  const decoder = new ReplyDecoder((reply) => replies.push(reply))
  for (const piece of pieces) decoder.write(piece)
  return replies
}

const { replies } = fc.letrec<{ reply: Reply; replies: ReadonlyArray<Reply> }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.constant(null),
    fc.string({ unit: fc.constantFrom("E", "R", " ", "é") }).map((text) => new ReplyError(text)),
    fc.array(tie("reply"), { maxLength: 4 })
  ),
  replies: fc.array(tie("reply"), { minLength: 1, maxLength: 4 })
}))

describe("the decoder of replies", () => {
  it("gives the same replies in whatever pieces their bytes come", () => {
    fc.assert(
      fc.property(replies, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, lengths) => {
        const bytes = Buffer.from(sent.map(encoded).join(""))
        const pieces: Array<Buffer> = []
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = lengths[i % lengths.length] ?? 1
          pieces.push(bytes.subarray(at, at + length))
          at += length
        }
        assert.deepStrictEqual(decoded([bytes]), sent)
        assert.deepStrictEqual(decoded(pieces), sent)
      })
    )
  })

  it("reads every form of RESP2, and bytes that are not UTF-8 as escapes", () => {
    const bytes = Buffer.from("+OK\r\n:-12\r\n:9007199254740991\r\n*-1\r\n*0\r\n$0\r\n\r\n$2\r\n\xff\xfe\r\n", "latin1")
    assert.deepStrictEqual(decoded([bytes]), ["OK", -12, 9_007_199_254_740_991, null, [], "", "\udcff\udcfe"])
  })

  it("keeps the start, length and hash of a text that no event is as long as, in whatever pieces it comes", () => {
    const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex")
    const long = Buffer.alloc(9 * 1_048_576, "é")
    const binary = Buffer.concat([Buffer.alloc(2 * 1_048_576, "x"), Buffer.from([0xff])])
    const bulk = (text: Buffer) => [Buffer.from(`$${text.length}\r\n`), text, Buffer.from("\r\n")]
    const bytes = Buffer.concat([Buffer.from("*3\r\n"), ...bulk(long), ...bulk(binary), Buffer.from("$3\r\nend\r\n")])
    for (const size of [bytes.length, 65_536, 1_000_003]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size)
      )
      const [reply] = decoded(pieces)
      assert(Array.isArray(reply))
      assert.deepStrictEqual(readCut(reply[0]), { start: "é".repeat(2_048), bytes: long.length, sha256: hashOf(long) })
      assert.deepStrictEqual(readCut(reply[1]), {
        start: "x".repeat(4_096),
        bytes: binary.length,
        sha256: hashOf(binary)
      })
      assert.strictEqual(reply[2], "end")
    }
    assert.throws(() => decoded([...bulk(long).slice(0, 2), Buffer.from("xx")]), Unreadable)
  })

  it("reads 8 MiB that come in pieces of 1 KiB in a time that grows with their length alone", () => {
    const text = "é".repeat(4 * 1_048_576)
    const bytes = Buffer.from(encoded([text, "end"]))
    const pieces = Array.from({ length: Math.ceil(bytes.length / 1_024) }, (_, i) =>
      bytes.subarray(i * 1_024, (i + 1) * 1_024)
    )
    const started = performance.now()
    assert.deepStrictEqual(decoded(pieces), [[text, "end"]])
    assert.isBelow(performance.now() - started, 2_000)
  })

  it.each([
    ["a type of RESP3", "_\r\n"],
    ["a push message", ">1\r\n+x\r\n"],
    ["another protocol", "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["a length that is no number", "$1x\r\n"],
    ["no length at all", "$\r\n"],
    ["a length of too many digits", `$${"1".repeat(30)}`],
    ["a line that ends with CR alone", ":1\r:"],
    ["a text longer than its length", "$1\r\nabc\r\n"],
    ["a line without an end", `+${"x".repeat(70_000)}`],
    ["65 lists in each other", "*1\r\n".repeat(65)]
  ])("refuses %s", (_, text) => {
    assert.throws(() => decoded([Buffer.from(text)]), Unreadable)
  })
})
