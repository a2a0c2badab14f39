import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as EventStreamsLayer from "../../src/layers/redis/EventStreams.ts"
import * as Replies from "../../src/layers/redis/replies.ts"
import { EventStreams } from "../../src/services/EventStreams.ts"
import type { EventStreamsError } from "../../src/services/EventStreamsError.ts"
import { bytesOfText, Redis } from "../../src/services/Redis.ts"

const bytes = (text: string): Uint8Array => bytesOfText(text)

/** A driver that answers everything so. */
const answering = (reply: unknown) => {
  const send = <A>() => Effect.succeed(reply as A)
  const unused = Effect.die("not used")
  return Layer.succeed(Redis, {
    send,
    reserve: Effect.succeed({ send, eval: () => () => unused }),
    eval: () => () => unused,
    subscribe: () => unused
  })
}

type Ask = (streams: EventStreams["Service"]) => Effect.Effect<unknown, EventStreamsError>

const asked = (reply: unknown, ask: Ask) =>
  Effect.runSync(
    Effect.provide(Effect.flip(EventStreams.use(ask)), Layer.provide(EventStreamsLayer.layer, answering(reply)))
  )

const consumer = { group: "g", name: "a" }

describe("a reply", () => {
  const entry = ["1-1", ["n", "1"]]
  it("to a read comes as pairs, a flat list, a map or an object, its texts as text or bytes", () => {
    const shapes: ReadonlyArray<unknown> = [
      [["s", [entry]]],
      ["s", [entry]],
      new Map([["s", [entry]]]),
      { s: [entry] },
      [["s", [[bytes("1-1"), [bytes("n"), "1"]]]]],
      new Map([[bytes("s"), [[bytes("1-1"), [bytes("n"), bytes("1")]]]]])
    ]
    for (const shape of shapes) assert.deepStrictEqual(Replies.readOfOne(shape), [["1-1", ["n", "1"]]])
    assert.deepStrictEqual(Replies.readOfOne([["s", [["1-1", null]]]]), [["1-1", null]])
    assert.deepStrictEqual(Replies.readOfOne(null), [])
  })

  it("that is text already is not copied", () => {
    const entries: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [["1-1", ["n", "1"]]]
    assert.strictEqual(Replies.entries(entries), entries)
    assert.strictEqual(Replies.readOfOne([["s", entries]]), entries)
  })

  it("of bytes that are not UTF-8 keeps them", () => {
    const read = Replies.text(new Uint8Array([0x61, 0xff]))
    assert.strictEqual(read, "a\udcff")
    assert.deepStrictEqual(bytesOfText(read ?? ""), new Uint8Array([0x61, 0xff]))
  })

  it("of names and values comes as a flat list, pairs, a map or an object", () => {
    const shapes: ReadonlyArray<unknown> = [
      ["name", "g", "lag", null],
      [
        ["name", "g"],
        ["lag", null]
      ],
      new Map<unknown, unknown>([
        [bytes("name"), "g"],
        ["lag", null]
      ]),
      { name: "g", lag: null }
    ]
    for (const shape of shapes) {
      assert.deepStrictEqual(
        [...(Replies.named(shape) ?? [])],
        [
          ["name", "g"],
          ["lag", null]
        ]
      )
    }
  })

  it("that counts is an integer, a double, a big number, a boolean or its digits", () => {
    for (const [reply, count] of [
      [7, 7],
      [7.5, 7.5],
      [7n, 7],
      ["7", 7],
      [bytes("-7"), -7],
      [true, 1],
      [false, 0]
    ] as const) {
      assert.strictEqual(Replies.count(reply), count)
    }
    for (const reply of ["", " 7", "7e3", null, undefined, [], {}, Number.NaN]) {
      assert.isUndefined(Replies.count(reply), String(reply))
    }
  })

  const read: Ask = (streams) => Effect.scoped(Effect.flatMap(streams.reader, (it) => it.readNew("s", consumer, 1, 0)))
  const cases: ReadonlyArray<readonly [string, Ask, ReadonlyArray<unknown>]> = [
    ["XREADGROUP", read, ["OK", 1, {}, [], new Map(), [["s", null]], [["s", [["1-1"]]]], [["s", [[1, []]]]], { s: 1 }]],
    [
      "XREADGROUP",
      read,
      [
        [
          ["s", []],
          ["t", []]
        ],
        { s: [["1-1", { n: "1" }]] },
        [[null, []]]
      ]
    ],
    ["XRANGE", (streams) => streams.range("s", "-", "+", 1), [null, {}, [["1-1", "n"]], [["1-1", [1]]]]],
    ["XINFO STREAM", (streams) => streams.streamInfo("s"), [null, "OK", [1], {}, { length: "many" }, ["length", 1]]],
    ["XINFO GROUPS", (streams) => streams.groupNames("s"), [null, {}, [1], [{ name: "g" }], [[["name", "g"]]]]],
    ["XINFO CONSUMERS", (streams) => streams.consumers("s", "g"), [null, [{}], [{ name: "a", pending: 1 }]]],
    [
      "XPENDING",
      (streams) => streams.pendingOf("s", consumer, "-", 1),
      [null, 1, [["1-1", "a", 1]], [["1-1", "a", 1, []]]]
    ],
    [
      "XAUTOCLAIM",
      (streams) => streams.claimIdle("s", consumer, 1, "0", 1),
      [null, ["0-0"], ["0-0", [1]], ["0-0", [], 1]]
    ],
    ["XACK", (streams) => streams.acknowledge("s", "g", ["1-1"]), [null, "OK", []]],
    ["XDEL", (streams) => streams.remove("s", ["1-1"]), [null, "OK", []]],
    ["INFO", (streams) => streams.serverInfo, [null, 1, ["redis_version"]]],
    ["GET", (streams) => streams.rules("s", "g"), [1, [], {}]],
    ["EVAL renew", (streams) => streams.renew("s", consumer, ["1-1"]), [null, [[]], [["1-1"], [1]]]],
    ["EVAL take", (streams) => streams.take("s", consumer, "1-1", 1), [null, ["x"], [1, null], [1, [], []]]],
    ["EVAL finish", (streams) => streams.finish("s", "g", ["1-1"]), [null, "OK", []]],
    ["EVAL replay", (streams) => streams.replay("a", "1-1", "s", []), [1, []]]
  ]
  for (const [command, ask, replies] of cases) {
    it(`of a shape that ${command} does not have is an error that names it`, () => {
      for (const reply of replies) {
        const { reason } = asked(reply, ask)
        assert.deepStrictEqual(
          [reason._tag, reason.message],
          ["Other", `Unexpected reply to ${command}`],
          JSON.stringify(reply)
        )
      }
    })
  }
})
