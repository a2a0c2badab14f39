/** Settings that are allowed and leave something open: said by `run` and `check`, held against nobody. */
import { Effect, FileSystem, Option, Redacted, Result } from "effect"
import { isLoopbackName } from "./parse.ts"
import { redis } from "./redis.ts"
import { configSync } from "./service.ts"
import { optional, type Setting, type SettingProblem } from "./setting.ts"

const others = 0o007
const writableByAll = 0o002
const sticky = 0o1000

const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0")

const modeOf = (path: string): Effect.Effect<number | undefined, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.map(Effect.option(fs.stat(path)), (info) => (Option.isSome(info) ? info.value.mode : undefined))
  )

const given = (variable: string): Effect.Effect<string | undefined> =>
  Effect.map(optional(variable, Result.succeed), ({ result }) => Result.getOrUndefined(result))

const secretFile = Effect.fnUntraced(function* (variable: string) {
  const path = yield* given(variable)
  const mode = path === undefined ? undefined : yield* modeOf(path)
  return mode === undefined || (mode & others) === 0
    ? []
    : [{ variable, problem: `the file it names is open to every user (mode ${octal(mode)}); chmod 600 closes it` }]
})

const folder = Effect.gen(function* () {
  const { result } = yield* configSync
  if (Result.isFailure(result) || !result.success.enabled) return []
  const mode = yield* modeOf(result.success.directory)
  return mode === undefined || (mode & writableByAll) === 0 || (mode & sticky) !== 0
    ? []
    : [{ variable: "CONFIG_DIR", problem: `every user can write to it (mode ${octal(mode)}); chmod 755 prevents it` }]
})

const plainPassword = Effect.map(redis, ({ result }): ReadonlyArray<SettingProblem> => {
  const settings = Result.getOrUndefined(result)
  if (settings?._tag !== "Server") return []
  const { cluster, password, sentinels, url } = settings.options
  const { hostname, password: inUrl, protocol } = new URL(Redacted.value(url))
  const hosts = (cluster ?? sentinels?.nodes)?.map(({ host }) => host) ?? [hostname]
  return protocol === "redis:" && (password !== undefined || inUrl !== "") && !hosts.every(isLoopbackName)
    ? [
        {
          variable: "REDIS_URL",
          problem: "sends its password unencrypted to another host; rediss:// protects it"
        }
      ]
    : []
})

const uncheckedTls = Effect.map(given("NODE_TLS_REJECT_UNAUTHORIZED"), (value) =>
  value === "0"
    ? [
        {
          variable: "NODE_TLS_REJECT_UNAUTHORIZED",
          problem: "is 0: no server's certificate is checked; unset it, and name an authority of your own instead"
        }
      ]
    : []
)

/** Files and folders open to others, a password on the open wire, TLS that checks nothing. */
export const exposure: Setting<void, FileSystem.FileSystem> = Effect.map(
  Effect.all([
    secretFile("ED25519_PRIVATE_KEY_FILE"),
    secretFile("REDIS_PASSWORD_FILE"),
    secretFile("API_TLS_KEY_FILE"),
    secretFile("API_HEADERS_FILE"),
    secretFile("CONSOLE_READ_TOKEN_FILE"),
    secretFile("CONSOLE_ACT_TOKEN_FILE"),
    folder,
    plainPassword,
    uncheckedTls
  ]),
  (warnings) => ({ result: Result.succeed(undefined), warnings: warnings.flat() })
)
