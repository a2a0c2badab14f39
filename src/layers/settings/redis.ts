import { Redacted, Result } from "effect"
import type { IoRedisOptions } from "../redis/ioredis/IoRedis.ts"
import { certificatesOf } from "./certificates.ts"
import { address, list, name } from "./parse.ts"
import {
  all,
  check,
  file,
  isSet,
  map,
  optional,
  type Parse,
  type SettingProblem,
  warn,
  withDefault
} from "./setting.ts"

/** How Redis is reached: the engine in this process, or servers. */
export type RedisSettings =
  | { readonly _tag: "Memory" }
  | {
      readonly _tag: "Server"
      readonly options: IoRedisOptions & { readonly password: Redacted.Redacted<string> | undefined }
    }

const MEMORY = "memory:"

/** The url may carry a password: no message shows any of it. */
const redisUrl: Parse<Redacted.Redacted<string>> = (text) => {
  if (text === MEMORY) return Result.succeed(Redacted.make(text))
  const url = URL.parse(text)
  if (url === null || !/^rediss?:$/.test(url.protocol) || !text.includes("://")) {
    return Result.fail("must be redis://[user:password@]host[:port][/db], rediss://… or memory:")
  }
  if (!/^\/?\d{0,5}$/.test(url.pathname))
    return Result.fail("must have nothing after its host but the number of a database")
  return url.search !== "" || url.hash !== ""
    ? Result.fail("must not have a query or a fragment (write a `?` or `#` in the password as %3F or %23)")
    : Result.succeed(Redacted.make(text))
}

const passwordOf = (content: Redacted.Redacted<string>): Result.Result<Redacted.Redacted<string>, string> => {
  const password = Redacted.value(content).replace(/\r?\n$/, "")
  return password === "" ? Result.fail("must contain a password") : Result.succeed(Redacted.make(password))
}

/** `REDIS_PASSWORD_FILE`. */
export const redisPassword = file("REDIS_PASSWORD_FILE", passwordOf)

/** Rules between the variables, whatever is in them. */
const rules = check(
  all({
    memory: withDefault("REDIS_URL", (text) => Result.succeed(text === MEMORY), false),
    cluster: isSet("REDIS_CLUSTER_NODES"),
    sentinels: isSet("REDIS_SENTINELS"),
    sentinelName: isSet("REDIS_SENTINEL_NAME"),
    password: isSet("REDIS_PASSWORD_FILE")
  }),
  ({ memory, cluster, sentinels, sentinelName, password }) => {
    const problems: Array<SettingProblem> = []
    if (memory) {
      const given = { REDIS_CLUSTER_NODES: cluster, REDIS_SENTINELS: sentinels, REDIS_PASSWORD_FILE: password }
      for (const [variable, set] of Object.entries(given)) {
        if (set) problems.push({ variable, problem: "must not be set with REDIS_URL=memory:" })
      }
    } else if (cluster && sentinels) {
      problems.push({ variable: "REDIS_CLUSTER_NODES", problem: "must not be set together with REDIS_SENTINELS" })
    }
    if (sentinels && !sentinelName) {
      problems.push({
        variable: "REDIS_SENTINEL_NAME",
        problem: "must be set together with REDIS_SENTINELS: the master's name"
      })
    }
    if (sentinelName && !sentinels) {
      problems.push({
        variable: "REDIS_SENTINELS",
        problem: "must be set together with REDIS_SENTINEL_NAME: host:port,…"
      })
    }
    return problems
  }
)

const variables = all({
  url: withDefault("REDIS_URL", redisUrl, Redacted.make("redis://127.0.0.1:6379")),
  cluster: optional("REDIS_CLUSTER_NODES", list(address)),
  sentinels: optional("REDIS_SENTINELS", list(address)),
  sentinelName: optional("REDIS_SENTINEL_NAME", name),
  password: redisPassword,
  tlsCa: file("REDIS_TLS_CA_FILE", certificatesOf),
  rules
})

const schemeOf = (url: Redacted.Redacted<string>): string => new URL(Redacted.value(url)).protocol

const namesDatabase = (url: Redacted.Redacted<string>): boolean => /[1-9]/.test(new URL(Redacted.value(url)).pathname)

/** `REDIS_*` (contract section 2). */
export const redis = map(
  warn(
    check(variables, ({ url, cluster }) =>
      cluster !== undefined && namesDatabase(url)
        ? [{ variable: "REDIS_URL", problem: "must not name a database: Redis Cluster has only database 0" }]
        : []
    ),
    ({ url, tlsCa }) =>
      tlsCa !== undefined && schemeOf(url) !== "rediss:"
        ? [{ variable: "REDIS_TLS_CA_FILE", problem: "has no effect, because REDIS_URL is not rediss://" }]
        : []
  ),
  ({ url, cluster, sentinels, sentinelName, password, tlsCa }): RedisSettings =>
    schemeOf(url) === MEMORY
      ? { _tag: "Memory" }
      : {
          _tag: "Server",
          options: {
            url,
            password,
            tlsCa,
            cluster,
            sentinels:
              sentinels === undefined || sentinelName === undefined
                ? undefined
                : { nodes: sentinels, name: sentinelName }
          }
        }
)
