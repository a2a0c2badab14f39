import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import { empty, fieldsOf, refused, send, steps, WRONG_TYPE } from "./steps.ts"

const INVALID_ID = refused("ERR Invalid stream ID specified as stream command argument")
const NOT_AN_INTEGER = refused("ERR value is not an integer or out of range")
const SYNTAX = refused("ERR syntax error")

/** Entries 1-1, 2-1 … n-1 in a stream. */
const filled = (key: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, at) => at + 1),
    (at) => send(`XADD ${key} ${at}-1 n ${at}`),
    {
      discard: true
    }
  )

const entry = (at: number) => [`${at}-1`, ["n", `${at}`]]

/** Streams without groups. */
export const streamsContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  it.effect("XADD: ids given, completed and refused", () =>
    Effect.andThen(
      empty,
      steps(
        ["XADD s 0-* a 1", "0-1"],
        ["XADD s 5-5 a 1", "5-5"],
        ["XADD s 5-* a 2", "5-6"],
        ["XADD s 7 a 1 b 2", "7-0"],
        ["XADD s 7 a 1", refused("ERR The ID specified in XADD is equal or smaller than the target stream top item")],
        ["XADD s 6-* a 1", refused("ERR The ID specified in XADD is equal or smaller than the target stream top item")],
        ["XADD s 0-0 a 1", refused("ERR The ID specified in XADD must be greater than 0-0")],
        ["XADD s x a 1", INVALID_ID],
        ["XADD s 18446744073709551616-0 a 1", INVALID_ID],
        ["XADD s 8-1 a", refused("ERR wrong number of arguments for 'xadd' command")],
        ["XADD s 8-1 a 1 b", refused("ERR wrong number of arguments for 'xadd' command")],
        ["XADD s", refused("ERR wrong number of arguments for 'xadd' command")],
        ["XADD none NOMKSTREAM 1-1 a 1", null],
        ["EXISTS none", 0],
        ["XLEN s", 4],
        ["SET text v", "OK"],
        ["XADD text 1-1 a 1", WRONG_TYPE],
        ["XLEN text", WRONG_TYPE],
        ["XLEN none", 0]
      )
    )
  )

  it.effect("XADD: `*` never goes back in time", () =>
    Effect.gen(function* () {
      yield* empty
      const first = yield* send<string>("XADD s * a 1")
      const second = yield* send<string>("XADD s * a 1")
      const [ms = Number.NaN, seq] = first.split("-").map(Number)
      const [laterMs = Number.NaN, laterSeq] = second.split("-").map(Number)
      assert.strictEqual(seq, 0)
      assert.isTrue(laterMs > ms ? laterSeq === 0 : laterMs === ms && laterSeq === 1)
      yield* steps(["XADD s 9999999999999-7 a 1", "9999999999999-7"], ["XADD s * a 1", "9999999999999-8"])
      yield* steps(
        ["XADD s 18446744073709551615-18446744073709551615 a 1", "18446744073709551615-18446744073709551615"],
        ["XADD s * a 1", refused("ERR The stream has exhausted the last possible ID, unable to add more items")]
      )
    })
  )

  it.effect("XADD: keeps fields as they are, repeated names and odd text included", () =>
    Effect.gen(function* () {
      yield* empty
      const fields = ["a", "1", "a", "2", "", "", "föö 😀", "line\r\nline\0"]
      yield* steps([["XADD", "s", "1-1", ...fields], "1-1"], ["XRANGE s - +", [["1-1", fields]]])
    })
  )

  it.effect("XADD and XTRIM: MAXLEN and MINID cut the oldest", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 6)
      yield* steps(
        ["XADD s MAXLEN 3 7-1 n 7", "7-1"],
        ["XRANGE s - +", [entry(5), entry(6), entry(7)]],
        ["XADD s MAXLEN = 0 8-1 n 8", "8-1"],
        ["XLEN s", 0],
        ["EXISTS s", 1],
        ["XADD s 8-1 n 8", refused("ERR The ID specified in XADD is equal or smaller than the target stream top item")],
        ["XTRIM none MAXLEN 1", 0],
        ["XTRIM s MAXLEN x", NOT_AN_INTEGER],
        ["XTRIM s MAXLEN -1", refused("ERR The MAXLEN argument must be >= 0.")],
        ["XTRIM s MINID x", INVALID_ID],
        ["XTRIM s OLDEST 1", SYNTAX],
        ["XTRIM s MAXLEN 1 LIMIT 1", refused("ERR syntax error, LIMIT cannot be used without the special ~ option")],
        [
          "XADD s MAXLEN 1 MINID 1 9-1 a 1",
          refused("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
        ],
        ["XADD s LIMIT 1 9-1 a 1", refused("ERR syntax error, LIMIT cannot be used without specifying a trimming")]
      )
      yield* filled("m", 6)
      yield* steps(["XTRIM m MINID 3", 2], ["XTRIM m MINID = 4-1", 1], ["XTRIM m MAXLEN 10", 0], ["XLEN m", 3])
      yield* steps(["SET text v", "OK"], ["XTRIM text MAXLEN 1", WRONG_TYPE])
    })
  )

  it.effect("XTRIM ~: cuts whole nodes of 100 entries, up to the limit", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 250)
      yield* steps(
        ["XTRIM s MAXLEN ~ 249", 0],
        ["XTRIM s MAXLEN ~ 100 LIMIT 99", 0],
        ["XTRIM s MAXLEN ~ 120", 100],
        ["XTRIM s MINID ~ 200", 0],
        ["XTRIM s MINID ~ 201", 100],
        ["XTRIM s MAXLEN ~ 0 LIMIT 0", 50],
        ["XLEN s", 0]
      )
    })
  )

  it.effect("XRANGE and XREVRANGE: ends, exclusive ends, counts", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 4)
      yield* steps(
        ["XRANGE s - +", [entry(1), entry(2), entry(3), entry(4)]],
        ["XRANGE s 2 3", [entry(2), entry(3)]],
        ["XRANGE s (2-1 +", [entry(3), entry(4)]],
        ["XRANGE s - (2-1", [entry(1)]],
        ["XRANGE s (2 3", [entry(2), entry(3)]],
        ["XRANGE s - + COUNT 2", [entry(1), entry(2)]],
        ["XRANGE s - + COUNT 0", (reply) => assert.deepEqual(reply ?? [], [])],
        ["XRANGE s 3 2", []],
        ["XRANGE none - +", []],
        ["XREVRANGE s + - COUNT 2", [entry(4), entry(3)]],
        ["XREVRANGE s (3-1 2-1", [entry(2)]],
        ["XRANGE s a +", INVALID_ID],
        ["XRANGE s (- +", INVALID_ID],
        ["XRANGE s - + COUNT", SYNTAX],
        ["XRANGE s - + COUNT x", NOT_AN_INTEGER],
        ["XRANGE s (18446744073709551615-18446744073709551615 +", refused("ERR invalid start ID for the interval")],
        ["XRANGE s - (0-0", refused("ERR invalid end ID for the interval")],
        ["SET text v", "OK"],
        ["XRANGE text - +", WRONG_TYPE]
      )
    })
  )

  it.effect("XDEL: removes, counts what was there, leaves an empty stream", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 3)
      yield* steps(
        ["XDEL s 2-1 2-1 9-9", 1],
        ["XRANGE s - +", [entry(1), entry(3)]],
        ["XDEL s 1-1 x", INVALID_ID],
        ["XLEN s", 2],
        ["XDEL s 1-1 3-1", 2],
        ["EXISTS s", 1],
        ["XDEL none 1-1", 0],
        ["SET text v", "OK"],
        ["XDEL text 1-1", WRONG_TYPE]
      )
    })
  )

  it.effect("XINFO STREAM: what the stream is and was", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 4)
      yield* steps(["XDEL s 2-1 3-1", 2], ["XGROUP CREATE s g 0", "OK"])
      const info = fieldsOf(
        yield* send("XINFO STREAM s"),
        "length",
        "last-generated-id",
        "max-deleted-entry-id",
        "entries-added",
        "recorded-first-entry-id",
        "groups",
        "first-entry",
        "last-entry"
      )
      assert.deepStrictEqual(info, {
        length: 2,
        "last-generated-id": "4-1",
        "max-deleted-entry-id": "3-1",
        "entries-added": 4,
        "recorded-first-entry-id": "1-1",
        groups: 1,
        "first-entry": entry(1),
        "last-entry": entry(4)
      })
      yield* steps(
        ["XINFO STREAM none", refused("ERR no such key")],
        ["XINFO GROUPS none", refused("ERR no such key")],
        ["XINFO NONSENSE s", refused("ERR unknown subcommand 'NONSENSE'. Try XINFO HELP.")],
        ["SET text v", "OK"],
        ["XINFO STREAM text", WRONG_TYPE]
      )
    })
  )

  it.effect("XREAD: what is above an id, of several streams", () =>
    Effect.gen(function* () {
      yield* empty
      yield* filled("s", 3)
      yield* filled("t", 1)
      yield* steps(
        ["XREAD STREAMS s 1-1", [["s", [entry(2), entry(3)]]]],
        [
          "XREAD COUNT 1 STREAMS s none t 0 0 0",
          [
            ["s", [entry(1)]],
            ["t", [entry(1)]]
          ]
        ],
        ["XREAD STREAMS s $", null],
        ["XREAD STREAMS s >", refused("ERR The > ID can be specified only when calling XREADGROUP")],
        ["XREAD STREAMS s t 0", refused("ERR Unbalanced")],
        ["XREAD STREAMS s +x", INVALID_ID],
        ["SET text v", "OK"],
        ["XREAD STREAMS text 0", WRONG_TYPE]
      )
    })
  )
}
