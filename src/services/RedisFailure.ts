/**
 * What went wrong with Redis, read from a `RedisError` of any driver: only the text of its cause is looked at, so that a
 * host app's own `Redis` service is understood as well as ours.
 */
import type { RedisError } from "./Redis.ts"

/**
 * Kinds of failure, by what is to be done about them:
 * - `refused`: the password, user or permission is wrong (WRONGPASS, NOAUTH, NOPERM), or there is no such database;
 *   waiting does not help
 * - `no-group`: the consumer group or its stream is gone (NOGROUP)
 * - `wrong-type`: the key holds something else (WRONGTYPE)
 * - `out-of-memory`: `maxmemory` is reached and nothing may be evicted (OOM)
 * - `read-only`: a replica, or a master that was demoted (READONLY)
 * - `loading`: the server reads its data from disk (LOADING)
 * - `busy-group`: the consumer group exists already (BUSYGROUP)
 * - `unavailable`: no connection, no answer in time, or a server that cannot serve at present (CLUSTERDOWN, MASTERDOWN,
 *   TRYAGAIN, NOREPLICAS, MISCONF, BUSY, UNBLOCKED, an unfollowed MOVED or ASK)
 * - `other`: anything else Redis answered
 */
export type RedisFailure =
  | "refused"
  | "no-group"
  | "wrong-type"
  | "out-of-memory"
  | "read-only"
  | "loading"
  | "busy-group"
  | "unavailable"
  | "other"

const kinds: Readonly<Record<string, RedisFailure>> = {
  WRONGPASS: "refused",
  NOAUTH: "refused",
  NOPERM: "refused",
  NOGROUP: "no-group",
  WRONGTYPE: "wrong-type",
  OOM: "out-of-memory",
  READONLY: "read-only",
  LOADING: "loading",
  BUSYGROUP: "busy-group",
  CLUSTERDOWN: "unavailable",
  MASTERDOWN: "unavailable",
  TRYAGAIN: "unavailable",
  NOREPLICAS: "unavailable",
  MISCONF: "unavailable",
  BUSY: "unavailable",
  UNBLOCKED: "unavailable",
  MOVED: "unavailable",
  ASK: "unavailable"
}

/** A code stands first in an answer of Redis; drivers and scripts may put words and a colon before it. */
const CODE = new RegExp(`(?:^|[\\s:(])-?(${Object.keys(kinds).join("|")})(?=\\s|$)`)
const PLAIN_ANSWER = /(?:^|[\s:])-?ERR\s/
const NO_ROOM = /max number of clients/i
const PLAIN_REFUSAL = /\binvalid (?:username-password pair|password)\b|\bDB index is out of range\b/i
const CONNECTION =
  /\bE(?:CONN[A-Z]+|TIMEDOUT|PIPE|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|HOSTDOWN|NETDOWN)\b|connect|socket|stream isn't|timed? ?out|timeout|offline|clos(?:ed|ing)|certificate|\bTLS\b|\bSSL\b|max retries/i

const LONGEST = 300

/** The text of a cause and of the causes below it. */
const textOf = (cause: unknown): string => {
  const parts: Array<string> = []
  let at: unknown = cause
  for (let depth = 0; depth < 5 && at !== undefined && at !== null; depth++) {
    if (typeof at !== "object") {
      parts.push(String(at))
      break
    }
    const { code, message, cause: below }: { code?: unknown; message?: unknown; cause?: unknown } = at
    const said = typeof message === "string" ? message : ""
    if (typeof code === "string" && !said.includes(code)) parts.push(said === "" ? code : `${said} (${code})`)
    else if (said !== "") parts.push(said)
    at = below
  }
  return parts.join(": ")
}

/** A blocking read whose stream was deleted meanwhile (Redis 7.0): nothing is wrong with the server. */
const STREAM_GONE = /\bUNBLOCKED the stream key no longer exists/

/** What kind of failure an error of the `Redis` service is. */
export const redisFailure = (error: RedisError): RedisFailure => {
  const text = textOf(error.cause)
  if (STREAM_GONE.test(text)) return "no-group"
  const code = CODE.exec(text)?.[1]
  if (code !== undefined) return kinds[code] ?? "other"
  if (PLAIN_REFUSAL.test(text)) return "refused"
  if (NO_ROOM.test(text)) return "unavailable"
  if (PLAIN_ANSWER.test(text)) return "other"
  return CONNECTION.test(text) ? "unavailable" : "other"
}

/** One line that may be logged or shown: without credentials of a URL and without a command's arguments. */
export const redisFailureMessage = (error: RedisError): string => {
  const text = textOf(error.cause)
    .replace(/,? with args beginning with:[\s\S]*$/, "")
    .replace(/\/\/[^/\s]*@/g, "//…@")
    .replace(/\s+/g, " ")
    .trim()
  if (text === "") return "Redis failed without saying why"
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text
}
