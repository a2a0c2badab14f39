import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { RedisError } from "../../src/services/Redis.ts"
import { type RedisFailure, redisFailure, redisFailureMessage } from "../../src/services/RedisFailure.ts"

class DriverError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const cases: ReadonlyArray<readonly [RedisFailure, unknown]> = [
  ["refused", new Error("WRONGPASS invalid username-password pair or user is disabled.")],
  ["refused", "NOAUTH Authentication required."],
  ["refused", new Error("NOPERM this user has no permissions to run the 'xadd' command")],
  ["refused", new Error("ERR invalid password")],
  ["refused", new Error("ERR DB index is out of range")],
  ["refused", new Error("Redis at h:6379 is not connected: WRONGPASS invalid username-password pair")],
  ["refused", new Error("connect failed", { cause: new Error("WRONGPASS invalid username-password pair") })],
  ["refused", new Error("ReplyError: NOAUTH Authentication required.")],
  ["no-group", new Error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")],
  ["no-group", new Error("UNBLOCKED the stream key no longer exists")],
  ["unavailable", new Error("UNBLOCKED force unblock from blocking operation, instance state changed")],
  ["wrong-type", new Error("WRONGTYPE Operation against a key holding the wrong kind of value")],
  [
    "wrong-type",
    new Error("ERR Error running script (call to f_1): @user_script:2: -WRONGTYPE Operation against a key")
  ],
  ["out-of-memory", new Error("OOM command not allowed when used memory > 'maxmemory'.")],
  ["read-only", new Error("READONLY You can't write against a read only replica.")],
  ["loading", new Error("LOADING Redis is loading the dataset in memory")],
  ["busy-group", new Error("BUSYGROUP Consumer Group name already exists")],
  ["unavailable", new Error("CLUSTERDOWN Hash slot not served")],
  ["unavailable", new Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")],
  ["unavailable", new Error("TRYAGAIN Multiple keys request during rehashing of slot")],
  ["unavailable", new Error("MOVED 3999 127.0.0.1:6381")],
  ["unavailable", new Error("BUSY Redis is busy running a script.")],
  ["unavailable", new Error("ERR max number of clients reached")],
  ["unavailable", new DriverError("ECONNREFUSED", "")],
  ["unavailable", new DriverError("ERR_REDIS_CONNECTION_CLOSED", "it is over")],
  ["unavailable", new AggregateError([new Error("connect ECONNREFUSED ::1:6379")], "connect ECONNREFUSED")],
  ["unavailable", new Error("Socket closed unexpectedly")],
  ["unavailable", new Error("The client is offline")],
  ["unavailable", new Error("Reached the max retries per request limit (which is 20).")],
  ["unavailable", new Cause.TimeoutError("Timed out waiting for a reserved Redis connection")],
  ["other", new Error("ERR value is not an integer or out of range")],
  ["other", new Error("ERR The XGROUP subcommand requires the key to exist, connect as you like")],
  ["other", new Error("NOSCRIPT No matching script.")],
  ["other", undefined],
  ["other", { strange: true }]
]

describe("a failure of Redis", () => {
  for (const [kind, cause] of cases) {
    it(`${kind}: ${cause instanceof Error ? `${cause.message}`.slice(0, 60) : String(cause)}`, () => {
      assert.strictEqual(redisFailure(new RedisError({ cause })), kind)
    })
  }

  it("is told in one line without credentials and arguments", () => {
    const say = (text: string) => redisFailureMessage(new RedisError({ cause: new Error(text) }))
    assert.strictEqual(
      say("cannot reach redis://user:hunter2@host:6379/0\n  at x"),
      "cannot reach redis://…@host:6379/0 at x"
    )
    assert.strictEqual(
      say("ERR unknown command 'AUHT', with args beginning with: 'hunter2' 'b'"),
      "ERR unknown command 'AUHT'"
    )
    assert.strictEqual(say("x".repeat(500)).length, 301)
    assert.strictEqual(say(""), "Redis failed without saying why")
  })
})
