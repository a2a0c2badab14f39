import { Redacted, Result } from "effect"
import { namedTokens } from "../../domain/options/namedTokens.ts"
import { distinctList, integer, isLoopbackName, name, onOff } from "./parse.ts"
import { all, check, file, optional, withDefault } from "./setting.ts"

const tokensIn = (content: Redacted.Redacted<string>): Result.Result<Redacted.Redacted<string>, string> =>
  Result.map(namedTokens(Redacted.value(content)), () => content)

/** `CONSOLE_READ_TOKEN_FILE`. */
export const consoleReadTokens = file("CONSOLE_READ_TOKEN_FILE", tokensIn)
/** `CONSOLE_ACT_TOKEN_FILE`. */
export const consoleActTokens = file("CONSOLE_ACT_TOKEN_FILE", tokensIn)

/** `CONSOLE` and `CONSOLE_*` (contract section 10). */
export const operatorConsole = check(
  all({
    enabled: withDefault("CONSOLE", onOff, false),
    host: withDefault("CONSOLE_HOST", name, "127.0.0.1"),
    port: withDefault("CONSOLE_PORT", integer(0, 65_535), 9465),
    allowedHosts: optional("CONSOLE_ALLOWED_HOSTS", distinctList(name)),
    readTokens: consoleReadTokens,
    actTokens: consoleActTokens
  }),
  ({ actTokens, host, readTokens }) =>
    readTokens === undefined && actTokens === undefined && !isLoopbackName(host)
      ? [
          {
            variable: "CONSOLE_HOST",
            problem:
              "must be a loopback address, such as 127.0.0.1, where neither CONSOLE_READ_TOKEN_FILE nor " +
              "CONSOLE_ACT_TOKEN_FILE is set: anybody could read"
          }
        ]
      : []
)
