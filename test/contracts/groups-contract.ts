import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import { empty, fieldsOf, refused, send, steps, WRONG_TYPE } from "./steps.ts"

const INVALID_ID = refused("ERR Invalid stream ID specified as stream command argument")
const NOT_AN_INTEGER = refused("ERR value is not an integer or out of range")
const SYNTAX = refused("ERR syntax error")
const NEEDS_KEY = refused("ERR The XGROUP subcommand requires the key to exist.")
const NO_GROUP = refused("NOGROUP No such key 's' or consumer group 'none'")

const entry = (at: number) => [`${at}-1`, ["n", `${at}`]]
const read = (consumer: string, ...ids: ReadonlyArray<number>) =>
  [`XREADGROUP GROUP g ${consumer} COUNT ${ids.length} STREAMS s >`, [["s", ids.map(entry)]]] as const

/** Stream `s` with entries 1-1 … n-1 and group `g` at its start. */
const stream = (count: number) =>
  Effect.gen(function* () {
    yield* empty
    for (let at = 1; at <= count; at++) yield* send(`XADD s ${at}-1 n ${at}`)
    yield* send("XGROUP CREATE s g 0 MKSTREAM")
  })

/** Pending entries as [id, consumer, deliveries]; idle times must be small. */
const pending = (line: string, expected: ReadonlyArray<readonly [string, string, number]>) =>
  [
    line,
    (reply: unknown) => {
      const found = reply as ReadonlyArray<[string, string, number, number]>
      for (const [, , idle] of found) assert.isTrue(idle >= 0 && idle < 60_000, `idle ${idle}`)
      assert.deepStrictEqual(
        found.map(([id, consumer, , count]) => [id, consumer, count]),
        expected as ReadonlyArray<unknown>
      )
    }
  ] as const

const groupInfo = (...names: ReadonlyArray<string>) =>
  Effect.map(send<ReadonlyArray<unknown>>("XINFO GROUPS s"), (groups) => fieldsOf(groups[0], ...names))

/** Consumer groups. */
export const groupsContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  it.effect("XGROUP: creates, moves and destroys groups", () =>
    Effect.andThen(
      stream(3),
      steps(
        ["XGROUP CREATE s g 0", refused("BUSYGROUP Consumer Group name already exists")],
        ["XGROUP CREATE none g $", NEEDS_KEY],
        ["XGROUP CREATE s h x", INVALID_ID],
        ["XGROUP CREATE s h - MKSTREAM", INVALID_ID],
        ["XGROUP CREATE s h", refused("ERR wrong number of arguments for 'xgroup|create' command")],
        ["XGROUP CREATE s h 0 NONSENSE", refused("ERR unknown subcommand or wrong number of arguments for 'CREATE'")],
        ["XGROUP CREATE s h 0 ENTRIESREAD x", NOT_AN_INTEGER],
        ["XGROUP CREATE s h 0 ENTRIESREAD -2", refused("ERR value for ENTRIESREAD must be positive or -1")],
        ["XGROUP CREATE new g $ MKSTREAM", "OK"],
        ["XLEN new", 0],
        ["XGROUP CREATE s h $", "OK"],
        ["XREADGROUP GROUP h c STREAMS s >", null],
        ["XGROUP SETID s h 2-1", "OK"],
        ["XREADGROUP GROUP h c STREAMS s >", [["s", [entry(3)]]]],
        ["XGROUP SETID s none 0", refused("NOGROUP No such consumer group 'none' for key name 's'")],
        ["XGROUP SETID gone g 0", NEEDS_KEY],
        ["XGROUP DESTROY s h", 1],
        ["XGROUP DESTROY s h", 0],
        ["XGROUP DESTROY gone h", NEEDS_KEY],
        ["XGROUP NONSENSE s g", refused("ERR unknown subcommand 'NONSENSE'. Try XGROUP HELP.")],
        ["SET text v", "OK"],
        ["XGROUP CREATE text g 0 MKSTREAM", WRONG_TYPE]
      )
    )
  )

  it.effect("XGROUP: consumers come and go, with their pending entries", () =>
    Effect.andThen(
      stream(3),
      steps(
        ["XGROUP CREATECONSUMER s g a", 1],
        ["XGROUP CREATECONSUMER s g a", 0],
        ["XGROUP CREATECONSUMER s none a", refused("NOGROUP No such consumer group 'none' for key name 's'")],
        read("a", 1, 2),
        read("b", 3),
        ["XGROUP DELCONSUMER s g a", 2],
        ["XGROUP DELCONSUMER s g a", 0],
        pending("XPENDING s g - + 10", [["3-1", "b", 1]]),
        ["XINFO CONSUMERS s none", refused("NOGROUP No such consumer group 'none' for key name 's'")],
        [
          "XINFO CONSUMERS s g",
          (reply) => {
            const consumers = reply as ReadonlyArray<unknown>
            assert.strictEqual(consumers.length, 1)
            const { idle, ...rest } = fieldsOf(consumers[0], "name", "pending", "idle")
            assert.deepStrictEqual(rest, { name: "b", pending: 1 })
            assert.isTrue(typeof idle === "number" && idle >= 0 && idle < 60_000)
          }
        ]
      )
    )
  )

  it.effect("XREADGROUP: hands out new entries once, and a consumer its own again", () =>
    Effect.andThen(
      stream(4),
      steps(
        read("a", 1, 2),
        read("b", 3),
        ["XREADGROUP GROUP g a STREAMS s 0", [["s", [entry(1), entry(2)]]]],
        ["XREADGROUP GROUP g a COUNT 1 STREAMS s 1-1", [["s", [entry(2)]]]],
        pending("XPENDING s g - + 10", [
          ["1-1", "a", 2],
          ["2-1", "a", 3],
          ["3-1", "b", 1]
        ]),
        ["XREADGROUP GROUP g nobody STREAMS s 0", [["s", []]]],
        ["XDEL s 1-1", 1],
        ["XREADGROUP GROUP g a STREAMS s 0", [["s", [["1-1", null], entry(2)]]]],
        ["XREADGROUP GROUP g a COUNT 0 STREAMS s >", [["s", [entry(4)]]]],
        ["XREADGROUP GROUP g a STREAMS s >", null]
      )
    )
  )

  it.effect("XREADGROUP: several streams in one read, NOACK, refusals", () =>
    Effect.andThen(
      stream(3),
      steps(
        ["XADD t 1-1 n 1", "1-1"],
        ["XGROUP CREATE t g 0", "OK"],
        [
          "XREADGROUP GROUP g a COUNT 1 STREAMS s t > >",
          [
            ["s", [entry(1)]],
            ["t", [entry(1)]]
          ]
        ],
        ["XREADGROUP GROUP g a COUNT 1 STREAMS s t > >", [["s", [entry(2)]]]],
        ["XREADGROUP GROUP g a NOACK STREAMS s >", [["s", [entry(3)]]]],
        ["XPENDING s g", [2, "1-1", "2-1", [["a", "2"]]]],
        [
          "XREADGROUP GROUP none a STREAMS s >",
          refused("NOGROUP No such key 's' or consumer group 'none' in XREADGROUP with GROUP option")
        ],
        ["XREADGROUP GROUP g a STREAMS gone >", refused("NOGROUP No such key 'gone' or consumer group 'g'")],
        ["XREADGROUP GROUP g a STREAMS s $", refused("ERR The $ ID is meaningless in the context of XREADGROUP")],
        ["XREADGROUP GROUP g a STREAMS s x", INVALID_ID],
        ["XREADGROUP GROUP g a STREAMS s t >", refused("ERR Unbalanced")],
        ["XREADGROUP GROUP g a COUNT x STREAMS s >", NOT_AN_INTEGER],
        ["XREADGROUP GROUP g a BLOCK x STREAMS s >", refused("ERR timeout is not an integer or out of range")],
        ["XREADGROUP GROUP g a BLOCK -1 STREAMS s >", refused("ERR timeout is negative")],
        ["XREADGROUP COUNT 1 COUNT 1 STREAMS s >", refused("ERR Missing GROUP option for XREADGROUP")],
        ["SET text v", "OK"],
        ["XREADGROUP GROUP g a STREAMS text >", WRONG_TYPE]
      )
    )
  )

  it.effect("XACK: ends what is pending, whoever owns it", () =>
    Effect.andThen(
      stream(3),
      steps(
        read("a", 1, 2),
        read("b", 3),
        ["XACK s g 1-1 3-1 1-1 9-9", 2],
        ["XPENDING s g", [1, "2-1", "2-1", [["a", "1"]]]],
        ["XACK s g 2-1 x", INVALID_ID],
        ["XACK s none 2-1", 0],
        ["XACK gone g 2-1", 0],
        ["XACK s g 2-1", 1],
        ["XPENDING s g", [0, null, null, null]],
        ["XLEN s", 3]
      )
    )
  )

  it.effect("XPENDING: by range, consumer and idle time", () =>
    Effect.andThen(
      stream(4),
      steps(
        read("a", 1, 2),
        read("b", 3, 4),
        ["XCLAIM s g b 0 4-1 IDLE 7200000 JUSTID", ["4-1"]],
        pending("XPENDING s g - (4-1 10", [
          ["1-1", "a", 1],
          ["2-1", "a", 1],
          ["3-1", "b", 1]
        ]),
        pending("XPENDING s g (1-1 3 10 a", [["2-1", "a", 1]]),
        pending("XPENDING s g - + 1", [["1-1", "a", 1]]),
        ["XPENDING s g - + 10 nobody", []],
        [
          "XPENDING s g IDLE 3600000 - + 10",
          (reply) =>
            assert.deepStrictEqual(
              (reply as ReadonlyArray<ReadonlyArray<unknown>>).map(([id]) => id),
              ["4-1"]
            )
        ],
        ["XPENDING s g IDLE 3600000 - + 10 a", []],
        ["XPENDING s none", NO_GROUP],
        ["XPENDING s none - + 1", NO_GROUP],
        ["XPENDING s g - +", SYNTAX],
        ["XPENDING s g - + x", NOT_AN_INTEGER],
        ["XPENDING s g x + 1", INVALID_ID]
      )
    )
  )

  it.effect("XCLAIM: takes over what is idle long enough, with options", () =>
    Effect.andThen(
      stream(4),
      steps(
        read("a", 1, 2, 3),
        ["XCLAIM s g b 3600000 1-1", []],
        ["XCLAIM s g b 0 1-1 9-9", [entry(1)]],
        ["XCLAIM s g b 0 2-1 JUSTID", ["2-1"]],
        ["XCLAIM s g b 0 3-1 RETRYCOUNT 7", [entry(3)]],
        pending("XPENDING s g - + 10", [
          ["1-1", "b", 2],
          ["2-1", "b", 1],
          ["3-1", "b", 7]
        ]),
        ["XCLAIM s g c 0 4-1", []],
        ["XCLAIM s g c 0 4-1 FORCE JUSTID LASTID 4-1", ["4-1"]],
        ["XREADGROUP GROUP g a STREAMS s >", null],
        ["XDEL s 1-1", 1],
        ["XCLAIM s g c 0 1-1 JUSTID", []],
        pending("XPENDING s g - + 10", [
          ["2-1", "b", 1],
          ["3-1", "b", 7],
          ["4-1", "c", 1]
        ]),
        ["XCLAIM s none c 0 1-1", NO_GROUP],
        ["XCLAIM s g c x 1-1", refused("ERR Invalid min-idle-time argument for XCLAIM")],
        ["XCLAIM s g c 0 1-1 IDLE x", refused("ERR Invalid IDLE option argument for XCLAIM")],
        ["XCLAIM s g c 0 1-1 NONSENSE", refused("ERR Unrecognized XCLAIM option 'NONSENSE'")]
      )
    )
  )

  it.effect("XAUTOCLAIM: goes through idle entries by cursor and names deleted ones", () =>
    Effect.gen(function* () {
      yield* stream(5)
      yield* steps(
        ["XREADGROUP GROUP g a STREAMS s >", [["s", [1, 2, 3, 4, 5].map(entry)]]],
        ["XAUTOCLAIM s g b 3600000 0", ["0-0", [], []]],
        ["XAUTOCLAIM s g b 0 0 COUNT 2", ["3-1", [entry(1), entry(2)], []]],
        ["XDEL s 4-1", 1],
        ["XAUTOCLAIM s g b 0 (2-1 COUNT 2 JUSTID", ["5-1", ["3-1"], ["4-1"]]],
        ["XAUTOCLAIM s g b 0 5-1 JUSTID", ["0-0", ["5-1"], []]],
        pending("XPENDING s g - + 10", [
          ["1-1", "b", 2],
          ["2-1", "b", 2],
          ["3-1", "b", 1],
          ["5-1", "b", 1]
        ]),
        ["XAUTOCLAIM s none b 0 0", NO_GROUP],
        ["XAUTOCLAIM s g b x 0", refused("ERR Invalid min-idle-time argument for XAUTOCLAIM")],
        ["XAUTOCLAIM s g b 0 x", INVALID_ID],
        ["XAUTOCLAIM s g b 0 0 COUNT 0", refused("ERR COUNT must be > 0")]
      )
    })
  )

  it.effect("XAUTOCLAIM: scans ten entries for each it may return", () =>
    Effect.andThen(
      stream(25),
      steps(
        ["XREADGROUP GROUP g a STREAMS s >", [["s", Array.from({ length: 25 }, (_, at) => entry(at + 1))]]],
        ["XCLAIM s g a 0 12-1 IDLE 7200000 JUSTID", ["12-1"]],
        ["XAUTOCLAIM s g b 3600000 0 COUNT 1 JUSTID", ["11-1", [], []]],
        ["XAUTOCLAIM s g b 3600000 11-1 COUNT 1 JUSTID", ["13-1", ["12-1"], []]]
      )
    )
  )

  it.effect("XINFO GROUPS: read and lag are counted, and unknown after a deletion in the unread range", () =>
    Effect.gen(function* () {
      yield* stream(5)
      const figures = groupInfo("entries-read", "lag", "pending", "consumers", "last-delivered-id")
      const at = (read: number | null, lag: number | null, count: number, last: string) => ({
        "entries-read": read,
        lag,
        pending: count,
        consumers: 1,
        "last-delivered-id": last
      })
      yield* steps(read("a", 1, 2))
      assert.deepStrictEqual(yield* figures, at(2, 3, 2, "2-1"))
      yield* steps(["XDEL s 4-1", 1])
      assert.deepStrictEqual(yield* figures, at(2, null, 2, "2-1"))
      yield* steps(["XREADGROUP GROUP g a STREAMS s >", [["s", [entry(3), entry(5)]]]])
      assert.deepStrictEqual(yield* figures, at(5, 0, 4, "5-1"))
      yield* steps(["XTRIM s MAXLEN 0", 4])
      assert.deepStrictEqual(yield* figures, at(5, 0, 4, "5-1"))
      yield* steps(["XADD s 6-1 n 6", "6-1"])
      assert.deepStrictEqual(yield* figures, at(5, 1, 4, "5-1"))
    })
  )
}
