import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import * as Scripts from "../../src/services/Scripts.ts"
import { call, empty, errorOf, eventuallyTrue, refused, send, steps, WRONG_TYPE } from "./steps.ts"

const NO_GROUP = refused("NOGROUP No such key 's' or consumer group 'none'")

const entry = (at: number) => [`${at}-1`, ["n", `${at}`]]

/** Stream `s` with entries 1-1 … n-1, all of them pending for consumer `a` of group `g`. */
const handedOut = (count: number) =>
  Effect.gen(function* () {
    yield* empty
    for (let at = 1; at <= count; at++) yield* send(`XADD s ${at}-1 n ${at}`)
    yield* send("XGROUP CREATE s g 0")
    yield* send("XREADGROUP GROUP g a STREAMS s >")
  })

/** Pending entries of `s` as `id consumer deliveries`. */
const pending = Effect.map(send<ReadonlyArray<ReadonlyArray<unknown>>>("XPENDING s g - + 100"), (entries) =>
  entries.map(([id, consumer, , deliveries]) => `${id} ${consumer} ${deliveries}`)
)
const idleOf = (id: string) =>
  Effect.map(send<ReadonlyArray<ReadonlyArray<unknown>>>(`XPENDING s g ${id} ${id} 1`), ([found]) => Number(found?.[2]))

/** Makes `*` of a stream predictable: it counts up from here. */
const farFuture = (key: string) => send(`XADD ${key} 9999999999999-0 seed 1`)

const move = (argv: string, to = "d", group = "g") => call(Scripts.move, ["s", to], [group, ...argv.split(" ")])
const renew = (argv: string) => call(Scripts.renew, ["s"], argv.split(" "))
const adopt = (argv: string) => call(Scripts.adopt, ["s"], argv.split(" "))
const take = (argv: string) => call(Scripts.take, ["s"], argv.split(" "))
const release = (argv: string) => call(Scripts.release, ["s"], argv.split(" "))
const retire = (argv: string) => call(Scripts.retire, ["s"], argv.split(" "))
const lease = (...argv: ReadonlyArray<string>) => call(Scripts.lease, ["lease"], argv)
const trim = (floor: string) => call(Scripts.trim, ["s"], [floor])

/** The project's scripts: the Lua on a server, the twin in the engine. */
export const scriptsContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  it.effect("adopt: what nobody has been given becomes pending again, with its count", () =>
    Effect.gen(function* () {
      yield* handedOut(4)
      yield* steps(
        ["XGROUP DESTROY s g", 1],
        [adopt("g a 1-1 1"), refused("NOGROUP No such key 's' or consumer group 'g'")],
        ["XGROUP CREATE s g 2-1", "OK"],
        ["XREADGROUP GROUP g b COUNT 1 STREAMS s >", [["s", [entry(3)]]]],
        ["XDEL s 4-1", 1],
        [adopt("g a 1-1 5 2-1 0 3-1 2 4-1 1 9-9 1"), ["4-1", "9-9"]],
        [adopt("g c 1-1 9"), []]
      )
      assert.deepStrictEqual(yield* pending, ["1-1 a 5", "2-1 a 0", "3-1 b 1"])
    })
  )

  it.effect("move: only its owner moves an entry, in one step", () =>
    Effect.gen(function* () {
      yield* handedOut(3)
      yield* farFuture("d")
      yield* steps(
        [move("b 1-1 0 x 1"), 0],
        [move("a 9-9 0 x 1"), 0],
        ["XLEN d", 1],
        [move("a 1-1 0 x 1 y 2"), 1],
        [move("a 1-1 0 x 1 y 2"), 0],
        [move("a 2-1 1 x 2"), 1],
        [
          "XRANGE d (9999999999999-0 +",
          [
            ["9999999999999-1", ["x", "1", "y", "2"]],
            ["9999999999999-2", ["x", "2"]]
          ]
        ],
        ["XRANGE s - +", [entry(1), entry(3)]],
        [move("a 3-1 0 x 1", "d", "none"), NO_GROUP]
      )
      assert.deepStrictEqual(yield* pending, ["3-1 a 1"])
    })
  )

  it.effect("move: an entry taken over by another is left to it", () =>
    Effect.gen(function* () {
      yield* handedOut(1)
      yield* steps(["XCLAIM s g b 0 1-1 JUSTID", ["1-1"]], [move("a 1-1 1 x 1"), 0], ["EXISTS d", 0])
      assert.deepStrictEqual(yield* pending, ["1-1 b 1"])
    })
  )

  it.effect("move: a refused XADD changes nothing", () =>
    Effect.gen(function* () {
      yield* handedOut(1)
      yield* steps(["SET d text", "OK"], [move("a 1-1 1 x 1"), WRONG_TYPE], ["GET d", "text"], ["XLEN s", 1])
      assert.deepStrictEqual(yield* pending, ["1-1 a 1"])
    })
  )

  it.effect("move: an entry deleted while it was pending can still be moved", () =>
    Effect.gen(function* () {
      yield* handedOut(1)
      yield* steps(["XDEL s 1-1", 1], [move("a 1-1 1 x 1"), 1], ["XLEN d", 1])
      assert.deepStrictEqual(yield* pending, [])
    })
  )

  it.effect("finish: acknowledges and deletes, whoever owns it", () =>
    Effect.gen(function* () {
      yield* handedOut(3)
      yield* steps(
        [call(Scripts.finish, ["s"], ["g", "1-1", "3-1", "9-9"]), 2],
        [call(Scripts.finish, ["s"], ["g", "1-1"]), 0],
        [call(Scripts.finish, ["s"], ["none", "2-1"]), 0],
        ["XLEN s", 0],
        [call(Scripts.finish, ["gone"], ["g", "1-1"]), 0]
      )
      assert.deepStrictEqual(yield* pending, ["2-1 a 1"])
    })
  )

  it.effect("renew: keeps own entries alive without counting, tells lost and deleted ones", () =>
    Effect.gen(function* () {
      yield* handedOut(4)
      yield* steps(
        ["XCLAIM s g a 0 1-1 IDLE 7200000 JUSTID", ["1-1"]],
        ["XCLAIM s g b 0 2-1 IDLE 7200000 JUSTID", ["2-1"]],
        ["XDEL s 3-1", 1],
        [renew("g a 1-1 2-1 3-1 4-1 9-9"), [["2-1", "9-9"], ["3-1"]]],
        [renew("g a 3-1"), [["3-1"], []]],
        [renew("none a 1-1"), NO_GROUP]
      )
      assert.deepStrictEqual(yield* pending, ["1-1 a 1", "2-1 b 1", "4-1 a 1"])
      assert.isBelow(yield* idleOf("1-1"), 60_000)
      assert.isAtLeast(yield* idleOf("2-1"), 7_200_000)
    })
  )

  it.effect("take: count and fields of an own entry, counting the hand-out where asked", () =>
    Effect.gen(function* () {
      yield* handedOut(3)
      yield* steps(
        ["XCLAIM s g a 0 1-1 IDLE 7200000 JUSTID", ["1-1"]],
        [take("g a 1-1 0"), [1, ["n", "1"]]],
        [take("g a 1-1 2"), [2, ["n", "1"]]],
        [take("g a 1-1 2"), [2, ["n", "1"]]],
        [take("g a 1-1 1"), [2, ["n", "1"]]],
        [take("g b 1-1 1"), []],
        [take("g a 9-9 1"), []],
        ["XDEL s 2-1", 1],
        [take("g a 2-1 0"), [1]],
        [take("g a 2-1 0"), []],
        [take("none a 2-1 0"), NO_GROUP]
      )
      assert.deepStrictEqual(yield* pending, ["1-1 a 2", "3-1 a 1"])
      assert.isBelow(yield* idleOf("1-1"), 60_000)
    })
  )

  it.effect("release: gives own entries up with idle time and counts, for another to take at once", () =>
    Effect.gen(function* () {
      yield* handedOut(3)
      yield* steps(
        ["XCLAIM s g b 0 3-1 JUSTID", ["3-1"]],
        [release("g a 7200000 1-1 0 2-1 5 3-1 9 9-9 1"), 2],
        [release("none a 0 1-1 0"), NO_GROUP],
        ["XAUTOCLAIM s g c 3600000 0 JUSTID", ["0-0", ["1-1", "2-1"], []]]
      )
      assert.deepStrictEqual(yield* pending, ["1-1 c 0", "2-1 c 5", "3-1 b 1"])
    })
  )

  it.effect("lease and unlease: one holder at a time, until it lapses or is given up", () =>
    Effect.gen(function* () {
      yield* empty
      yield* steps(
        [lease("one", "60000"), 1],
        [lease("two", "60000"), 0],
        [lease("one", "30"), 1],
        [call(Scripts.unlease, ["lease"], ["two"]), 0]
      )
      yield* eventuallyTrue(
        "another takes the lapsed lease",
        Effect.map(send(lease("two", "60000")), (taken) => taken === 1)
      )
      yield* steps(
        [lease("one", "60000"), 0],
        ["GET lease", "two"],
        ["PTTL lease", (left) => assert.isTrue(Number(left) > 50_000)],
        [call(Scripts.unlease, ["lease"], ["two"]), 1],
        ["EXISTS lease", 0],
        [call(Scripts.unlease, ["lease"], ["two"]), 0],
        ["SADD lease x", 1],
        [lease("one", "1000"), WRONG_TYPE]
      )
    })
  )

  it.effect("retire: removes a consumer only if it is idle and holds nothing", () =>
    Effect.gen(function* () {
      yield* handedOut(1)
      yield* steps(
        ["XGROUP CREATECONSUMER s g b", 1],
        [retire("g a 0"), 0],
        [retire("g b 3600000"), 0],
        [retire("g nobody 0"), 0],
        [retire("g b 0"), 1],
        ["XACK s g 1-1", 1],
        [retire("g a 0"), 1],
        ["XINFO CONSUMERS s g", []],
        [retire("none a 0"), refused("NOGROUP No such consumer group 'none' for key name 's'")]
      )
    })
  )

  it.effect("conclude: acknowledges entries and keeps their outcomes for a while", () =>
    Effect.gen(function* () {
      yield* handedOut(3)
      const conclude = (remove: string, keys: ReadonlyArray<string>, ...pairs: ReadonlyArray<string>) =>
        call(Scripts.conclude, ["s", ...keys], ["g", remove, "60000", ...pairs])
      yield* steps(
        [conclude("0", ["o1", "o2"], "1-1", "first", "2-1", "second"), 2],
        ["XLEN s", 3],
        ["GET o1", "first"],
        ["GET o2", "second"],
        ["PTTL o2", (left) => assert.isTrue(Number(left) > 50_000)],
        // Whoever owns them, and once more where the answer was lost.
        [conclude("1", ["o2", "o3"], "2-1", "again", "3-1", "third"), 1],
        ["XRANGE s - +", [entry(1)]],
        ["GET o2", "again"],
        ["GET o3", "third"],
        ["XPENDING s g", (reply) => assert.strictEqual(Array.isArray(reply) ? reply[0] : undefined, 0)]
      )
    })
  )

  it.effect("conclude: an error on the way changes nothing", () =>
    Effect.gen(function* () {
      yield* empty
      yield* steps(
        ["SET text v", "OK"],
        [call(Scripts.conclude, ["text", "o1"], ["g", "0", "60000", "1-1", "first"]), WRONG_TYPE],
        ["EXISTS o1", 0]
      )
    })
  )

  it.effect("replay: puts an abandoned event back at the end and remembers it", () =>
    Effect.gen(function* () {
      yield* empty
      yield* farFuture("s")
      const replay = (id: string) => call(Scripts.replay, ["abandoned", "s", "replayed"], [id, "60", "n", "1"])
      yield* steps(
        ["XADD abandoned 1-1 event x", "1-1"],
        [replay("2-1"), null],
        [replay("1-1"), "9999999999999-1"],
        [replay("1-1"), null],
        ["XLEN abandoned", 0],
        ["XRANGE s 9999999999999-1 +", [["9999999999999-1", ["n", "1"]]]],
        ["SISMEMBER replayed 9999999999999-1", 1],
        ["PTTL replayed", (left) => assert.isTrue(Number(left) > 50_000)]
      )
    })
  )

  it.effect("replay: an error on the way changes nothing", () =>
    Effect.gen(function* () {
      yield* empty
      yield* farFuture("s")
      const replay = (to: string) => call(Scripts.replay, ["abandoned", to, "text"], ["1-1", "60", "n", "1"])
      yield* steps(
        ["XADD abandoned 1-1 event x", "1-1"],
        ["SET text v", "OK"],
        [replay("text"), WRONG_TYPE],
        ["XLEN s", 1],
        [replay("s"), WRONG_TYPE],
        ["XLEN s", 1],
        ["XLEN abandoned", 1]
      )
    })
  )

  it.effect("withdraw: a copy takes the place of an entry that nobody may be working on", () =>
    Effect.gen(function* () {
      yield* handedOut(2)
      yield* farFuture("s")
      const withdraw = (id: string, ...copy: ReadonlyArray<string>) => call(Scripts.withdraw, ["s"], ["g", id, ...copy])
      const late = "99999999999999"
      yield* steps(
        [withdraw("7-1", late, "n", "2"), "gone"],
        [withdraw("7-1"), "gone"],
        // By Redis's own clock it is too late.
        [withdraw("1-1", "-1", "n", "2"), "due"],
        ["XLEN s", 3],
        [withdraw("1-1", late, "n", "2"), "done"],
        ["XRANGE s 1-1 1-1", []],
        ["XPENDING s g 1-1 1-1 1", []],
        ["XRANGE s 9999999999999-1 +", [["9999999999999-1", ["n", "2"]]]],
        // One that was not read yet.
        [withdraw("9999999999999-1", late, "n", "3"), "done"],
        ["XRANGE s 9999999999999-2 +", [["9999999999999-2", ["n", "3"]]]],
        // Acknowledged and not deleted: its copy stands elsewhere.
        ["XACK s g 2-1", 1],
        [withdraw("2-1", late, "n", "2"), "settled"],
        [withdraw("2-1"), "done"],
        ["XRANGE s 2-1 2-1", []],
        // A group that was never made has read nothing.
        [call(Scripts.withdraw, ["s"], ["none", "9999999999999-2", late, "n", "4"]), "done"],
        ["XRANGE s 9999999999999-3 +", [["9999999999999-3", ["n", "4"]]]]
      )
    })
  )

  it.effect("put-back: puts an event at the end and remembers it", () =>
    Effect.gen(function* () {
      yield* empty
      yield* farFuture("s")
      yield* steps(
        [call(Scripts.putBack, ["s", "replayed"], ["60", "n", "1"]), "9999999999999-1"],
        ["XRANGE s 9999999999999-1 +", [["9999999999999-1", ["n", "1"]]]],
        ["SISMEMBER replayed 9999999999999-1", 1],
        ["PTTL replayed", (left) => assert.isTrue(Number(left) > 50_000)],
        ["SET text v", "OK"],
        [call(Scripts.putBack, ["text", "replayed"], ["60", "n", "1"]), WRONG_TYPE],
        [call(Scripts.putBack, ["s", "text"], ["60", "n", "1"]), WRONG_TYPE],
        ["XLEN s", 2]
      )
    })
  )

  it.effect("trim: removes what every group has read and acknowledged", () =>
    Effect.gen(function* () {
      yield* handedOut(6)
      yield* steps(
        [trim(""), 0],
        ["XACK s g 1-1 2-1 4-1", 3],
        ["XGROUP CREATE s h 0", "OK"],
        [trim(""), 0],
        ["XREADGROUP GROUP h b COUNT 2 STREAMS s >", [["s", [entry(1), entry(2)]]]],
        ["XACK s h 2-1", 1],
        [trim(""), 0],
        ["XACK s h 1-1", 1],
        [trim("2-1"), 1],
        [trim(""), 1],
        ["XRANGE s - +", [entry(3), entry(4), entry(5), entry(6)]],
        ["XGROUP SETID s h 6-1", "OK"],
        [trim("9-0"), 0],
        ["XACK s g 3-1", 1],
        [trim(""), 2],
        ["XACK s g 5-1 6-1", 2],
        [trim(""), 2],
        ["XLEN s", 0]
      )
    })
  )

  it.effect("trim: counts ids beyond 2^53 exactly, up to the largest there is", () =>
    Effect.gen(function* () {
      yield* empty
      const nanos = "1700000000000000000"
      yield* steps(
        [`XADD s ${nanos}-9007199254740993 n 1`, `${nanos}-9007199254740993`],
        [`XADD s ${nanos}-9007199254740994 n 2`, `${nanos}-9007199254740994`],
        [`XADD s ${nanos}-18446744073709551615 n 3`, `${nanos}-18446744073709551615`],
        ["XADD s 1700000000000000001-0 n 4", "1700000000000000001-0"],
        ["XADD s 18446744073709551615-18446744073709551615 n 5", "18446744073709551615-18446744073709551615"],
        [`XGROUP CREATE s g ${nanos}-9007199254740993`, "OK"],
        [trim(""), 1],
        [trim(""), 0],
        [`XGROUP SETID s g ${nanos}-9007199254740994`, "OK"],
        [trim(`${nanos}-9007199254740994`), 0],
        [trim(""), 1],
        [`XGROUP SETID s g ${nanos}-18446744073709551615`, "OK"],
        [trim(""), 1],
        ["XGROUP SETID s g 18446744073709551615-18446744073709551615", "OK"],
        [trim(""), 1],
        [trim(""), 0],
        ["XLEN s", 1]
      )
    })
  )

  it.effect("trim: carries over nines", () =>
    Effect.gen(function* () {
      for (const [last, next] of [
        ["0-9", "0-10"],
        ["0-199", "0-200"],
        ["0-18999", "0-19000"],
        ["9-18446744073709551615", "10-0"]
      ]) {
        yield* empty
        yield* steps(
          [`XADD s ${last} n 1`, `${last}`],
          [`XADD s ${next} n 2`, `${next}`],
          [`XGROUP CREATE s g ${last}`, "OK"],
          [trim(""), 1],
          [`XRANGE s - +`, [[next, ["n", "2"]]]]
        )
      }
    })
  )

  it.effect("trim: leaves a stream without groups alone", () =>
    Effect.andThen(
      empty,
      steps(
        [trim(""), 0],
        ["XADD s 1-1 n 1", "1-1"],
        [trim(""), 0],
        ["XLEN s", 1],
        ["SET t v", "OK"],
        [call(Scripts.trim, ["t"], [""]), WRONG_TYPE]
      )
    )
  )

  it.effect("swap: changes a text only while it is the one that was read", () =>
    Effect.andThen(
      empty,
      steps(
        [call(Scripts.swap, ["t"], ["old", "new"]), 0],
        ["EXISTS t", 0],
        [call(Scripts.swap, ["t"], ["", "first"]), 1],
        [call(Scripts.swap, ["t"], ["", "second"]), 0],
        [call(Scripts.swap, ["t"], ["first", "second"]), 1],
        ["GET t", "second"],
        ["PTTL t", -1],
        [call(Scripts.swap, ["t"], ["first", "third"]), 0],
        ["GET t", "second"]
      )
    )
  )

  it.effect("reserve: a full bucket at first, then each batch after the one before it, whoever asks", () =>
    Effect.gen(function* () {
      yield* empty
      // A token every 10 s, so that what comes in meanwhile is next to nothing: what is asked takes whole tens of seconds.
      const tens = (tokens: number, most = 10) =>
        Effect.map(send<number>(call(Scripts.reserve, ["b"], [`${tokens}`, "10000000", `${most}`])), (micros) => {
          assert.isTrue(Number.isInteger(micros))
          return Math.ceil(micros / 10_000_000)
        })
      assert.strictEqual(yield* tens(10), 0)
      assert.strictEqual(yield* tens(10), 10)
      assert.strictEqual(yield* tens(5), 15)
      const lapses = Number(yield* send("PTTL b"))
      assert.isAbove(lapses, 240_000)
      assert.isAtMost(lapses, 251_000)
      // What stands there is of an hour ago, or of an hour ahead: a clock that was set.
      const [level = "", at = ""] = String(yield* send("GET b")).split(" ")
      yield* send(["SET", "b", `${level} ${Number(at) - 3_600_000_000}`])
      assert.strictEqual(yield* tens(11), 1)
      yield* send(["SET", "b", `0 ${Number(at) + 3_600_000_000}`])
      assert.strictEqual(yield* tens(1), 1)
      assert.strictEqual(yield* tens(1), 2)
      yield* send(["SET", "b", "nonsense"])
      assert.strictEqual(yield* tens(10), 0)
      yield* send("DEL b")
      yield* send("XADD b * f v")
      yield* steps([call(Scripts.reserve, ["b"], ["1", "1000", "1"]), WRONG_TYPE])
    })
  )

  it.effect("report: figures that lapse, the replicas that stand, and counts that add up", () =>
    Effect.gen(function* () {
      yield* empty
      const report = (name: string, ttl: number, ...counts: ReadonlyArray<string>) =>
        call(
          Scripts.report,
          [`f-${name}`, "replicas", "counts"],
          [name, `${ttl}`, `{"n":"${name}"}`, "90000", ...counts]
        )
      const names = Effect.map(send<ReadonlyArray<string>>("HGETALL replicas"), (flat) =>
        flat.filter((_, at) => at % 2 === 0).toSorted()
      )
      yield* steps([report("a", 15_000), 1], ["EXISTS counts", 0], ["GET f-a", '{"n":"a"}'])
      yield* steps([report("b", 15_000, "05:dlq:received", "2", "05:dlq:retried", "1"), 1])
      yield* steps([report("a", 15_000, "05:dlq:received", "3"), 1])
      yield* steps(["HGETALL counts", ["05:dlq:received", "5", "05:dlq:retried", "1"]])
      assert.deepStrictEqual(yield* names, ["a", "b"])
      for (const [key, most] of [
        ["f-a", 15_000],
        ["replicas", 60_000],
        ["counts", 90_000]
      ] as const) {
        const left = Number(yield* send(`PTTL ${key}`))
        assert.isTrue(left > most - 10_000 && left <= most, `${key}: ${left}`)
      }
      // Its time was up long ago, or it is nobody's making.
      yield* send("HSET replicas gone 1 odd x")
      yield* steps([report("a", 15_000), 1])
      assert.deepStrictEqual(yield* names, ["a", "b"])
      yield* send("SET counts x")
      yield* steps([report("a", 15_000, "05:dlq:received", "1"), WRONG_TYPE])
    })
  )

  it.effect("turn: the first tells, what comes after waits and is counted, the same again is known", () =>
    Effect.gen(function* () {
      yield* empty
      const turn = (what: string, count: number, { lasts = 60_000, counted = "0" } = {}) =>
        Effect.map(
          send<string>(call(Scripts.turn, ["t"], [what, `${count}`, "60000", `${lasts}`, counted])),
          (answer) => {
            const [word, ms] = answer.split(" ")
            return word === "wait" ? `wait ${Math.ceil(Number(ms) / 10_000)}` : answer
          }
        )
      /** As if it had been told so long before. */
      const age = (ms: number) =>
        Effect.flatMap(send("GET t"), (value) => {
          const [, at = "", rest = ""] = /^(\d+)( .*)$/s.exec(String(value)) ?? []
          return send(["SET", "t", `${Number(at) - ms}${rest}`])
        })
      assert.strictEqual(yield* turn("a\n%d é", 1), "told 1")
      assert.strictEqual(yield* turn("a\n%d é", 1), "same")
      assert.strictEqual(yield* turn("b", 2), "wait 6")
      // With something left out in between even the same is not known.
      assert.strictEqual(yield* turn("a\n%d é", 1), "wait 6")
      yield* age(45_000)
      assert.strictEqual(yield* turn("b", 0), "wait 2")
      const lapses = Number(yield* send("PTTL t"))
      assert.isTrue(lapses > 65_000 && lapses <= 75_000, `${lapses}`)
      yield* age(15_000)
      assert.strictEqual(yield* turn("b", 0), "told 3")
      assert.strictEqual(yield* turn("b", 0), "same")
      yield* age(60_000)
      assert.strictEqual(yield* turn("b", 1), "told 1")
      yield* age(60_000)
      assert.strictEqual(yield* turn("b", 1, { lasts: 3_600_000 }), "same")
      yield* age(3_540_000)
      assert.strictEqual(yield* turn("b", 1, { lasts: 3_600_000 }), "told 1")
      yield* send("DEL t")
      assert.strictEqual(yield* turn("c", 2, { counted: "1" }), "told 2")
      assert.strictEqual(yield* turn("c", 0, { counted: "1" }), "same")
      assert.strictEqual(yield* turn("c", 3, { counted: "1" }), "wait 6")
      yield* age(60_000)
      assert.strictEqual(yield* turn("c", 4, { counted: "1" }), "told 7")
      yield* send("SET t nonsense")
      assert.strictEqual(yield* turn("c", 1), "told 1")
      yield* send("DEL t")
      yield* send("XADD t * f v")
      yield* steps([call(Scripts.turn, ["t"], ["c", "1", "1", "1", "0"]), WRONG_TYPE])
    })
  )

  it.effect("EVAL: refuses wrong numbers of keys", () =>
    steps(
      ["EVAL x", refused("ERR wrong number of arguments for 'eval' command")],
      ["EVAL x y", refused("ERR value is not an integer or out of range")],
      ["EVAL x -1", refused("ERR Number of keys can't be negative")],
      ["EVAL x 1", refused("ERR Number of keys can't be greater than number of args")]
    )
  )

  it.effect("every script is known: on keys of the wrong type each answers with Redis's error", () =>
    Effect.gen(function* () {
      yield* empty
      yield* send("SADD odd x")
      // The one that asks for permissions touches no key.
      for (const script of Scripts.all.filter(({ name }) => name !== "permissions")) {
        const said = yield* errorOf(call(script, ["odd", "odd", "odd"], ["1-1", "1-1", "1-1", "1", "1-1"]))
        assert.match(said, /^WRONGTYPE /, script.name)
      }
    })
  )
}
