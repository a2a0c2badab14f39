/**
 * What a Redis user must be allowed to do, command by command, for the service to run: asked for at the start, by `check`,
 * and held against the ACL files in `deploy/redis`.
 */
import {
  auditKey,
  type Consumer,
  companionKey,
  kindRateKey,
  leaseKey,
  minutesKey,
  outcomeKey,
  type Permission,
  rateKey,
  replicaKey,
  replicasKey,
  rulesKey,
  turnKey
} from "./EventStreams.ts"

const on = (key: string, ...lines: ReadonlyArray<string>): ReadonlyArray<Permission> =>
  lines.map((line) => ({ key, words: line.split(" ").map((word) => (word === "KEY" ? key : word)) }))

/** To read a stream through its group, and to end what was read. */
const consuming = (key: string): ReadonlyArray<Permission> =>
  on(
    key,
    "XGROUP CREATE KEY g 0 MKSTREAM",
    "XGROUP DELCONSUMER KEY g c",
    "XINFO STREAM KEY",
    "XINFO GROUPS KEY",
    "XINFO CONSUMERS KEY g",
    "XREADGROUP GROUP g c COUNT 1 STREAMS KEY >",
    "XPENDING KEY g",
    "XRANGE KEY - +",
    "XCLAIM KEY g c 0 0-0 JUSTID",
    "XAUTOCLAIM KEY g c 0 0-0 JUSTID",
    "XACK KEY g 0-0"
  )

const source = (key: string, trims: boolean): ReadonlyArray<Permission> => [
  ...consuming(key),
  ...on(companionKey(key, "replayed"), "SISMEMBER KEY 0-0"),
  ...(trims ? on(key, "EXISTS KEY", "XTRIM KEY MINID = 0-0") : [])
]

const owned = (key: string): ReadonlyArray<Permission> => on(companionKey(key, "owner"), "GET KEY", "SET KEY g PX 1")

const dlq = (key: string): ReadonlyArray<Permission> => [
  ...consuming(key),
  ...owned(key),
  ...on(key, "XADD KEY * f v", "XREVRANGE KEY + -", "XDEL KEY 0-0")
]

/** The streams of a service, as far as permissions go. */
export interface PermittedStreams {
  readonly sources: ReadonlyArray<string>
  readonly dlqs: ReadonlyArray<string>
  readonly abandoned: ReadonlyArray<string>
  /** The stream beside which the lease of the consumer's name, the traffic rules and the audit lie. */
  readonly first: string
  readonly consumer: Consumer
  /** Whether the source streams are trimmed. */
  readonly trims: boolean
  /** Whether outcomes are kept. */
  readonly outcomes: boolean
  /** Whether alerts are told. */
  readonly alerts: boolean
  /** The streams of kinds that have a rate of their own. */
  readonly rated: ReadonlyArray<string>
}

/** Every command of a running service. */
export const servicePermissions = (streams: PermittedStreams): ReadonlyArray<Permission> => [
  ...streams.sources.flatMap((key) => source(key, streams.trims)),
  ...streams.dlqs.flatMap(dlq),
  ...(streams.outcomes
    ? [...streams.sources, ...streams.dlqs].flatMap((key) => on(outcomeKey(key, "e"), "SET KEY v PX 1"))
    : []),
  ...streams.abandoned.flatMap((key) => [
    ...owned(key),
    ...on(key, "XADD KEY * f v", "XREVRANGE KEY + -", "XINFO STREAM KEY", "XINFO GROUPS KEY", "XINFO CONSUMERS KEY g")
  ]),
  ...on(leaseKey(streams.first, streams.consumer), "GET KEY", "SET KEY t PX 1", "DEL KEY"),
  ...on(rulesKey(streams.first, streams.consumer.group), "GET KEY", "SET KEY rules"),
  ...on(rateKey(streams.first, streams.consumer.group), "GET KEY", "SET KEY tokens PX 1", "TIME"),
  ...streams.rated.flatMap((key) =>
    on(kindRateKey(key, streams.consumer.group), "GET KEY", "SET KEY tokens PX 1", "TIME")
  ),
  ...on(replicaKey(streams.first, streams.consumer), "GET KEY", "SET KEY figures PX 1"),
  ...on(
    replicasKey(streams.first, streams.consumer.group),
    "HGETALL KEY",
    "HSET KEY c 0",
    "HDEL KEY c",
    "PEXPIRE KEY 1"
  ),
  ...on(minutesKey(streams.first, streams.consumer.group, "h"), "HGETALL KEY", "HINCRBY KEY f 1", "PEXPIRE KEY 1"),
  ...(streams.alerts
    ? on(turnKey(streams.first, streams.consumer.group, "k"), "GET KEY", "SET KEY told PX 1", "TIME")
    : []),
  ...on(auditKey(streams.first), "XADD KEY MAXLEN ~ 1 * f v")
]

/** A permission as a person names it: `XGROUP CREATE on modelsgateway:events:dlq`. */
export const permissionName = ({ key, words: [command = "", next = ""] }: Permission): string =>
  command === "XGROUP" || command === "XINFO" ? `${command} ${next} on ${key}` : `${command} on ${key}`
