import type { Vitest } from "@effect/vitest"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { Redis } from "../../src/services/Redis.ts"
import { empty, eventuallyTrue, refused, send, steps, WRONG_TYPE } from "./steps.ts"

const NOT_AN_INTEGER = refused("ERR value is not an integer or out of range")
const SYNTAX = refused("ERR syntax error")

const within = (least: number, most: number) => (reply: unknown) =>
  assert.isTrue(typeof reply === "number" && reply >= least && reply <= most, `${reply}`)

/** Strings, sets, times to live and the server itself. */
export const keysContract = (it: Vitest.MethodsNonLive<Redis>): void => {
  it.effect("SET and GET: conditions, the old value, times to live", () =>
    Effect.andThen(
      empty,
      steps(
        ["GET k", null],
        ["SET k 1 XX", null],
        ["SET k 1 NX", "OK"],
        ["SET k 2 NX", null],
        ["GET k", "1"],
        ["SET k 2 GET", "1"],
        ["SET k 3 PX 60000", "OK"],
        ["PTTL k", within(50_000, 60_000)],
        ["SET k 4 KEEPTTL", "OK"],
        ["PTTL k", within(50_000, 60_000)],
        ["SET k 5", "OK"],
        ["PTTL k", -1],
        ["PTTL none", -2],
        ["SET k 6 EX 60", "OK"],
        ["PTTL k", within(50_000, 60_000)],
        ["SET k v NX XX", SYNTAX],
        ["SET k v PX", SYNTAX],
        ["SET k v PX 1 EX 1", SYNTAX],
        ["SET k v PX x", NOT_AN_INTEGER],
        ["SET k v PX 0", refused("ERR invalid expire time in 'set' command")],
        ["SET k", refused("ERR wrong number of arguments for 'set' command")],
        ["XADD s 1-1 a 1", "1-1"],
        ["GET s", WRONG_TYPE],
        ["SET s v GET", WRONG_TYPE],
        ["SET s v", "OK"],
        ["TYPE s", "string"]
      )
    )
  )

  it.effect("a key whose time is up is gone", () =>
    Effect.gen(function* () {
      yield* empty
      yield* steps(
        ["SET k v PX 30", "OK"],
        ["SET l v NX", "OK"],
        ["PEXPIRE l 30", 1],
        ["SADD m x", 1],
        ["PEXPIRE m 0", 1],
        ["EXISTS m", 0],
        ["PEXPIRE none 30", 0],
        ["PEXPIRE l x", NOT_AN_INTEGER]
      )
      yield* eventuallyTrue(
        "both keys are gone",
        Effect.map(send("EXISTS k l"), (left) => left === 0)
      )
      yield* steps(["GET k", null], ["SET l w NX", "OK"])
    })
  )

  it.effect("SADD and SISMEMBER, EXPIRE", () =>
    Effect.andThen(
      empty,
      steps(
        ["SADD m a b a", 2],
        ["SADD m a c", 1],
        ["SISMEMBER m a", 1],
        ["SISMEMBER m z", 0],
        ["SISMEMBER none a", 0],
        ["EXPIRE m 60", 1],
        ["PTTL m", within(50_000, 60_000)],
        ["TYPE m", "set"],
        ["GET m", WRONG_TYPE],
        ["XADD m 1-1 a 1", WRONG_TYPE],
        ["SET k v", "OK"],
        ["SADD k a", WRONG_TYPE]
      )
    )
  )

  it.effect("HSET, HINCRBY, HDEL and HGETALL", () =>
    Effect.andThen(
      empty,
      steps(
        ["HGETALL h", []],
        ["HSET h a 1 b x", 2],
        ["HSET h a 2 c 3", 1],
        ["HGETALL h", ["a", "2", "b", "x", "c", "3"]],
        ["HINCRBY h a 5", 7],
        ["HINCRBY h d -1", -1],
        ["HINCRBY h b 1", refused("ERR hash value is not an integer")],
        ["HINCRBY h a x", NOT_AN_INTEGER],
        ["HDEL h a none b", 2],
        ["HGETALL h", ["c", "3", "d", "-1"]],
        ["PEXPIRE h 60000", 1],
        ["PTTL h", within(50_000, 60_000)],
        ["TYPE h", "hash"],
        ["HDEL h c d", 2],
        ["EXISTS h", 0],
        ["HDEL h c", 0],
        ["HSET h a", refused("ERR wrong number of arguments for 'hset' command")],
        ["HSET h a 1 b", refused("ERR wrong number of arguments for 'hset' command")],
        ["SET k v", "OK"],
        ["HSET k a 1", WRONG_TYPE],
        ["HINCRBY k a 1", WRONG_TYPE],
        ["HDEL k a", WRONG_TYPE],
        ["HGETALL k", WRONG_TYPE],
        ["HSET h a 1", 1],
        ["GET h", WRONG_TYPE],
        ["SADD h a", WRONG_TYPE]
      )
    )
  )

  it.effect("DEL, EXISTS, TYPE, KEYS, SCAN and FLUSHALL", () =>
    Effect.andThen(
      empty,
      steps(
        ["SET a:1 v", "OK"],
        ["SET a:2 v", "OK"],
        ["XADD b 1-1 a 1", "1-1"],
        ["EXISTS a:1 a:1 none", 2],
        ["TYPE b", "stream"],
        ["TYPE none", "none"],
        ["KEYS a:?", (reply) => assert.sameMembers([...(reply as Array<string>)], ["a:1", "a:2"])],
        ["KEYS [^a]", ["b"]],
        ["SCAN 0 MATCH *:1 COUNT 100", ["0", ["a:1"]]],
        ["SCAN 0 TYPE stream COUNT 100", ["0", ["b"]]],
        ["DEL a:1 a:1 none b", 2],
        ["EXISTS b", 0],
        ["FLUSHALL", "OK"],
        ["KEYS *", []]
      )
    )
  )

  it.effect("PING, ECHO, TIME, INFO and CONFIG GET", () =>
    steps(
      ["PING", "PONG"],
      ["PING hello", "hello"],
      ["ECHO hello", "hello"],
      [
        "TIME",
        (reply) => {
          const [seconds, micros] = (reply as ReadonlyArray<string>).map(Number)
          assert.isTrue(seconds !== undefined && seconds > 1_500_000_000)
          assert.isTrue(micros !== undefined && micros >= 0 && micros < 1_000_000)
        }
      ],
      [
        "INFO server",
        (reply) => assert.match(String(reply), /^# Server\r\n(?:.*\r\n)*redis_version:\d+\.\d+\.\d+\r\n/)
      ],
      ["INFO persistence", (reply) => assert.match(String(reply), /\r\naof_enabled:0\r\n/)],
      ["INFO", (reply) => assert.match(String(reply), /\r\nmaxmemory_policy:noeviction\r\n/)],
      ["CONFIG GET maxmemory-policy", ["maxmemory-policy", "noeviction"]],
      ["CONFIG GET nonsense", []],
      ["NONSENSE a b", refused("ERR unknown command 'NONSENSE', with args beginning with: 'a' 'b'")],
      ["GET", refused("ERR wrong number of arguments for 'get' command")],
      ["get none", null]
    )
  )
}
