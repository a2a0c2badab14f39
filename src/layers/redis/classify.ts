/**
 * What went wrong with Redis, read from a `RedisError` of any driver: only the text of its cause is looked at, so that a
 * host app's own `Redis` service is understood as well as ours.
 */
import * as Errors from "../../services/EventStreamsError.ts"
import type { RedisError } from "../../services/Redis.ts"

type Make = (message: string) => Errors.Reason

const noGroup: Make = (message) => new Errors.NoGroup({ message })
const unavailable: Make = (message) => new Errors.Unavailable({ message })
const other: Make = (message) => new Errors.Other({ message })

const COMMAND = /\brun the '([^']+)' command/
const KEY = /\baccess the '([^']+)' key/

const refused: Make = (message) => {
  const command = COMMAND.exec(message)?.[1]
  const key = KEY.exec(message)?.[1]
  return new Errors.Refused({
    message,
    ...(command === undefined ? {} : { command }),
    ...(key === undefined ? {} : { key })
  })
}

const byCode: Readonly<Record<string, Make>> = {
  WRONGPASS: refused,
  NOAUTH: refused,
  NOPERM: refused,
  NOGROUP: noGroup,
  BUSYGROUP: (message) => new Errors.BusyGroup({ message }),
  CROSSSLOT: (message) => new Errors.CrossSlot({ message }),
  WRONGTYPE: (message) => new Errors.WrongType({ message }),
  OOM: (message) => new Errors.OutOfMemory({ message }),
  READONLY: (message) => new Errors.ReadOnly({ message }),
  LOADING: (message) => new Errors.Loading({ message }),
  CLUSTERDOWN: unavailable,
  MASTERDOWN: unavailable,
  TRYAGAIN: unavailable,
  NOREPLICAS: unavailable,
  MISCONF: unavailable,
  BUSY: unavailable,
  UNBLOCKED: unavailable,
  MOVED: unavailable,
  ASK: unavailable
}

/** A code stands first in an answer of Redis; drivers and scripts may put words and a colon before it. */
const CODE = new RegExp(`(?:^|[\\s:(])-?(${Object.keys(byCode).join("|")})(?=\\s|$)`)
/** Of XINFO, whose answer has no code, and of a blocking read whose stream was deleted meanwhile (Redis 7.0). */
const STREAM_GONE = /\bUNBLOCKED the stream key no longer exists|\bno such key\b/
/** What a script may not do comes without its code from Redis before 7. */
const SCRIPT_REFUSED = /\bACL failure in script\b|\buser executing the script can't\b/i
const PLAIN_ANSWER = /(?:^|[\s:])-?ERR\s/
const NO_ROOM = /max number of clients/i
const PLAIN_REFUSAL = /\binvalid (?:username-password pair|password)\b|\bDB index is out of range\b/i
const CONNECTION =
  /\bE(?:CONN[A-Z]+|TIMEDOUT|PIPE|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|HOSTDOWN|NETDOWN)\b|connect|socket|stream isn't|timed? ?out|timeout|offline|aborted|unavailable|queue is full|clos(?:ed|ing)|certificate|\bTLS\b|\bSSL\b|max retries/i

const LONGEST = 300

/** What drivers put into an error; node-redis has the cause of a lost connection under a name of its own. */
interface Said {
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly socketError?: unknown
}

/** The text of a cause and of the causes below it. */
const textOf = (cause: unknown): string => {
  const parts: Array<string> = []
  let at: unknown = cause
  for (let depth = 0; depth < 5 && at !== undefined && at !== null; depth++) {
    if (typeof at !== "object") {
      parts.push(String(at))
      break
    }
    const { cause: below, code, message, socketError }: Said = at
    const said = typeof message === "string" ? message : ""
    if (typeof code === "string" && !said.includes(code)) parts.push(said === "" ? code : `${said} (${code})`)
    else if (said !== "") parts.push(said)
    at = below ?? socketError
  }
  // Redis never answers without words: what is told by its class alone comes from the driver, and is a time that is up.
  if (parts.length === 0 && cause instanceof Error) return `no connection: ${cause.constructor.name}`
  return parts.join(": ")
}

const makerFor = (text: string): Make => {
  if (STREAM_GONE.test(text)) return noGroup
  const code = CODE.exec(text)?.[1]
  if (code !== undefined) return byCode[code] ?? other
  if (PLAIN_REFUSAL.test(text) || SCRIPT_REFUSED.test(text)) return refused
  if (NO_ROOM.test(text)) return unavailable
  if (PLAIN_ANSWER.test(text)) return other
  return CONNECTION.test(text) ? unavailable : other
}

/** One line that may be logged or shown: without credentials of a URL and without a command's arguments. */
const safe = (text: string): string => {
  const line = text
    .replace(/,? with args beginning with:[\s\S]*$/, "")
    .replace(/\/\/[^/\s]*@/g, "//…@")
    .replace(/\s+/g, " ")
    .trim()
  if (line === "") return "Redis failed without saying why"
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line
}

/** An error of the `Redis` service as one of {@link EventStreams}: the one place that reads what a driver says. */
export const classify = (error: RedisError): Errors.EventStreamsError => {
  const text = textOf(error.cause)
  return new Errors.EventStreamsError({ reason: makerFor(text)(safe(text)) })
}
