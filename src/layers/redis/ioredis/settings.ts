import { isIP } from "node:net"
import type { ConnectionOptions } from "node:tls"
import { Duration, Redacted, Result } from "effect"

/** Where a server listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

export const addressKey = (address: Address): string => `${address.host}:${address.port}`

/** How to reach Redis. With `cluster` or `sentinels` the url's scheme, user and password apply to every node. */
export interface IoRedisOptions {
  /** `redis://` or `rediss://` (TLS), `[user[:password]@]host[:port][/db]`, the user and password percent-encoded. */
  readonly url: Redacted.Redacted<string>
  /** Takes the place of the url's password; a function is asked at every login, so that a password may change. */
  readonly password?: Redacted.Redacted<string> | (() => Redacted.Redacted<string>) | undefined
  /** PEM of the authorities to trust instead of the system's. */
  readonly tlsCa?: string | undefined
  /** Nodes of a Redis Cluster, some of which answer. */
  readonly cluster?: ReadonlyArray<Address> | undefined
  /** Sentinels and the name of the master they watch. */
  readonly sentinels?: { readonly nodes: ReadonlyArray<Address>; readonly name: string } | undefined
  /** The longest silence while an answer is due, over the command's own BLOCK time where it has one; default 5 seconds. */
  readonly commandDeadline?: Duration.Input | undefined
  /** The longest wait for a connection; default 5 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
}

/** {@link IoRedisOptions}, read. Holds secrets: never shown. */
export interface Settings {
  readonly address: Address
  readonly username: string | undefined
  /** What to log in with now. */
  readonly password: () => string | undefined
  /** A server that does not know the password but asks for none is good. */
  readonly passwordOptional: boolean
  readonly db: number
  readonly tls: ConnectionOptions | undefined
  readonly cluster: ReadonlyArray<Address> | undefined
  readonly sentinels: { readonly nodes: ReadonlyArray<Address>; readonly name: string } | undefined
  readonly commandDeadline: number
  readonly connectTimeout: number
}

const DEFAULT_PORT = 6379

const decoded = (text: string): string | undefined => {
  if (text === "") return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const passwordOf = ({ password }: IoRedisOptions, url: URL): (() => string | undefined) => {
  if (typeof password === "function") return () => Redacted.value(password())
  const fixed = password === undefined ? decoded(url.password) : Redacted.value(password)
  return () => fixed
}

/** Reads the options; a failure names the rule, never the url. */
export const settingsOf = (options: IoRedisOptions): Result.Result<Settings, string> => {
  const url = URL.parse(Redacted.value(options.url))
  if (url === null || (url.protocol !== "redis:" && url.protocol !== "rediss:")) {
    return Result.fail("the Redis url must be redis:// or rediss:// with a host")
  }
  const path = url.pathname.replace(/^\//, "")
  if (!/^\d{0,5}$/.test(path)) return Result.fail("the path of the Redis url must be the number of a database")
  const db = Number(path)
  if (options.cluster !== undefined && options.sentinels !== undefined) {
    return Result.fail("Redis is reached as a Cluster or through Sentinels, not both")
  }
  if (options.cluster !== undefined && db !== 0) return Result.fail("a Redis Cluster has only database 0")
  if (options.cluster?.length === 0 || options.sentinels?.nodes.length === 0) {
    return Result.fail("at least one Redis node must be named")
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  return Result.succeed({
    address: { host: host === "" ? "127.0.0.1" : host, port: url.port === "" ? DEFAULT_PORT : Number(url.port) },
    username: decoded(url.username),
    password: passwordOf(options, url),
    passwordOptional: false,
    db,
    tls: url.protocol === "rediss:" ? (options.tlsCa === undefined ? {} : { ca: options.tlsCa }) : undefined,
    cluster: options.cluster,
    sentinels: options.sentinels,
    commandDeadline: Duration.toMillis(options.commandDeadline ?? "5 seconds"),
    connectTimeout: Duration.toMillis(options.connectTimeout ?? "5 seconds")
  })
}

/** TLS options for one node: SNI needs a name, an IP address has none. */
export const tlsFor = (settings: Settings, address: Address): ConnectionOptions | undefined =>
  settings.tls === undefined || isIP(address.host) !== 0 ? settings.tls : { ...settings.tls, servername: address.host }
