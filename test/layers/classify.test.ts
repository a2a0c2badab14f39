import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import * as redis from "redis"
import { classify } from "../../src/layers/redis/classify.ts"
import type { Reason } from "../../src/services/EventStreamsError.ts"
import { RedisError } from "../../src/services/Redis.ts"

const classified = (cause: unknown) => classify(new RedisError({ cause }))

class DriverError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** What node-redis fails with where Redis said nothing: of some only the class tells what they are. */
const nodeRedisOutages: ReadonlyArray<Error> = [
  new redis.ConnectionTimeoutError(),
  new redis.SocketTimeoutError(5_000),
  new redis.ClientClosedError(),
  new redis.ClientOfflineError(),
  new redis.DisconnectsClientError(),
  new redis.SocketClosedUnexpectedlyError(),
  new redis.RootNodesUnavailableError(),
  new redis.ReconnectStrategyError(new Error("gave up"), new Error("read ECONNRESET")),
  new redis.TimeoutError(),
  new redis.AbortError(),
  new redis.SocketTimeoutDuringMaintenanceError(5),
  new redis.CommandTimeoutDuringMaintenanceError(5),
  new redis.MaxCommandRedirectionsError(new redis.SimpleError("MOVED 3999 127.0.0.1:6381")),
  new Error("The queue is full")
]

const cases: ReadonlyArray<readonly [Reason["_tag"], unknown]> = [
  ["Refused", new Error("WRONGPASS invalid username-password pair or user is disabled.")],
  ["Refused", "NOAUTH Authentication required."],
  ["Refused", new Error("NOPERM this user has no permissions to run the 'xadd' command")],
  ["Refused", new Error("ERR invalid password")],
  ["Refused", new Error("ERR DB index is out of range")],
  ["Refused", new Error("Redis at h:6379 is not connected: WRONGPASS invalid username-password pair")],
  ["Refused", new Error("connect failed", { cause: new Error("WRONGPASS invalid username-password pair") })],
  ["Refused", new Error("ReplyError: NOAUTH Authentication required.")],
  ["Refused", new Error("NOPERM ACL failure in script: User u has no permissions to run the 'xadd' command script: f")],
  [
    "Refused",
    new Error("ERR Error running script: @user_script:2: ACL failure in script: No permissions to access a key")
  ],
  [
    "Refused",
    new Error(
      "ERR Error running script (call to f_1): @user_script:3: @user_script: 3: " +
        "The user executing the script can't run this command or subcommand"
    )
  ],
  [
    "Refused",
    new Error("The user executing the script can't access at least one of the keys mentioned in the command")
  ],
  ["NoGroup", new Error("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")],
  ["NoGroup", new Error("ERR no such key")],
  ["NoGroup", new Error("UNBLOCKED the stream key no longer exists")],
  ["Unavailable", new Error("UNBLOCKED force unblock from blocking operation, instance state changed")],
  ["WrongType", new Error("WRONGTYPE Operation against a key holding the wrong kind of value")],
  [
    "WrongType",
    new Error("ERR Error running script (call to f_1): @user_script:2: -WRONGTYPE Operation against a key")
  ],
  ["OutOfMemory", new Error("OOM command not allowed when used memory > 'maxmemory'.")],
  [
    "OutOfMemory",
    new Error("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'")
  ],
  [
    "OutOfMemory",
    new Error(
      "ERR Error running script (call to f_1): @user_script:2: -OOM command not allowed when used memory > 'max'"
    )
  ],
  ["OutOfMemory", new Error("OOM command not allowed when used memory > 'maxmemory'. script: f_1, on @user_script:3.")],
  ["ReadOnly", new Error("READONLY You can't write against a read only replica. script: f_1, on @user_script:3.")],
  ["ReadOnly", new Error("READONLY You can't write against a read only replica.")],
  ["Loading", new Error("LOADING Redis is loading the dataset in memory")],
  ["BusyGroup", new Error("BUSYGROUP Consumer Group name already exists")],
  ["CrossSlot", new Error("CROSSSLOT Keys in request don't hash to the same slot")],
  ["Unavailable", new Error("CLUSTERDOWN Hash slot not served")],
  ["Unavailable", new Error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")],
  ["Unavailable", new Error("TRYAGAIN Multiple keys request during rehashing of slot")],
  ["Unavailable", new Error("MOVED 3999 127.0.0.1:6381")],
  ["Unavailable", new Error("BUSY Redis is busy running a script.")],
  ["Unavailable", new Error("ERR max number of clients reached")],
  ["Unavailable", new DriverError("ECONNREFUSED", "")],
  ["Unavailable", new DriverError("ERR_REDIS_CONNECTION_CLOSED", "it is over")],
  ["Unavailable", new AggregateError([new Error("connect ECONNREFUSED ::1:6379")], "connect ECONNREFUSED")],
  ["Unavailable", new Error("Socket closed unexpectedly")],
  ["Unavailable", new Error("The client is offline")],
  ["Unavailable", new Error("Reached the max retries per request limit (which is 20).")],
  ["Unavailable", new Cause.TimeoutError("Timed out waiting for a reserved Redis connection")],
  ...nodeRedisOutages.map((error) => ["Unavailable", error] as const),
  ["NoGroup", new redis.SimpleError("NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")],
  ["WrongType", new redis.BlobError("WRONGTYPE Operation against a key holding the wrong kind of value")],
  ["Refused", new redis.SimpleError("WRONGPASS invalid username-password pair or user is disabled.")],
  ["Other", new redis.SimpleError("ERR the command was aborted, timed out and closed")],
  ["Other", new Error("ERR value is not an integer or out of range")],
  ["Other", new Error("ERR The XGROUP subcommand requires the key to exist, connect as you like")],
  ["Other", new Error("NOSCRIPT No matching script.")],
  ["Other", undefined],
  ["Other", { strange: true }]
]

describe("a failure of Redis", () => {
  for (const [kind, cause] of cases) {
    it(`${kind}: ${cause instanceof Error ? `${cause.message}`.slice(0, 60) : String(cause)}`, () => {
      assert.strictEqual(classified(cause).reason._tag, kind)
    })
  }

  it("says which command and which key were refused, where Redis does", () => {
    const refusal = (text: string) => {
      const { reason } = classified(new Error(text))
      return reason._tag === "Refused" ? [reason.command, reason.key] : reason._tag
    }
    assert.deepStrictEqual(refusal("NOPERM User u has no permissions to run the 'xgroup|create' command"), [
      "xgroup|create",
      undefined
    ])
    assert.deepStrictEqual(refusal("NOPERM User u has no permissions to access the 'jobs' key"), [undefined, "jobs"])
    assert.deepStrictEqual(refusal("NOPERM No permissions to access a key"), [undefined, undefined])
  })

  it("is an outage, a refusal of what was asked, or the caller's to mend", () => {
    const nature = (text: string) => {
      const { isOutage, isRefusal } = classified(new Error(text))
      return isOutage && isRefusal ? "both" : isOutage ? "outage" : isRefusal ? "refusal" : "neither"
    }
    for (const text of ["READONLY x", "LOADING x", "Connection is closed."]) assert.strictEqual(nature(text), "outage")
    for (const text of ["WRONGTYPE x", "OOM x", "NOPERM x", "ERR x"]) assert.strictEqual(nature(text), "refusal")
    for (const text of ["NOGROUP x", "BUSYGROUP x", "CROSSSLOT x"]) assert.strictEqual(nature(text), "neither")
  })

  it("is told in one line without credentials and arguments", () => {
    const say = (text: string) => classified(new Error(text)).message
    assert.strictEqual(
      say("cannot reach redis://user:hunter2@host:6379/0\n  at x"),
      "cannot reach redis://…@host:6379/0 at x"
    )
    assert.strictEqual(
      say("ERR unknown command 'AUHT', with args beginning with: 'hunter2' 'b'"),
      "ERR unknown command 'AUHT'"
    )
    assert.strictEqual(say("x".repeat(500)).length, 301)
    assert.strictEqual(classified("").message, "Redis failed without saying why")
    assert.strictEqual(classified(new redis.TimeoutError()).message, "no connection: TimeoutError")
  })
})
