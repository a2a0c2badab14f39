import { Duration, LogLevel, Redacted, Result } from "effect"
import { type AlertOptions, alertFormats } from "../../domain/alerts/alert.ts"
import { webhookUrlProblem } from "../../domain/events/validators.ts"
import { duration, httpUrl, integer, isLoopback, name, nonBlank, oneOf, oneOfAnyCase, onOff, share } from "./parse.ts"
import { all, either, map, optional, type Parse, warn, withDefault } from "./setting.ts"

const folder = {
  directory: withDefault("CONFIG_DIR", nonBlank, "/config"),
  fileGroup: optional("CONFIG_FILE_GROUP", name)
}

/** `CONFIG_DIR` and `CONFIG_FILE_GROUP`. */
export const configFolder = all(folder)

/** `CONFIG_*`. */
export const configSync = all({
  enabled: withDefault("CONFIG_SYNC", onOff, true),
  interval: withDefault("CONFIG_SYNC_INTERVAL", duration, Duration.seconds(60)),
  ...folder,
  drift: withDefault("CONFIG_DRIFT", oneOf("repair", "report"), "repair")
})

/** Words separated by spaces, or a JSON array of them. It may carry a token, so it is not shown. */
const command: Parse<string> = (text) => {
  if (!text.trimStart().startsWith("[")) return nonBlank(text)
  const rule = "must be words separated by spaces, or a JSON array of strings that starts with the program"
  try {
    const words: unknown = JSON.parse(text)
    return Array.isArray(words) &&
      words.length > 0 &&
      words.every((word) => typeof word === "string") &&
      words[0] !== ""
      ? Result.succeed(text)
      : Result.fail(rule)
  } catch {
    return Result.fail(rule)
  }
}

const statusUrl: Parse<string> = (text) => Result.map(httpUrl(text), () => text)

/** `GATEWAY_*`. */
export const gateway = map(
  all({
    reload: either(
      ["GATEWAY_PID_FILE", optional("GATEWAY_PID_FILE", nonBlank)],
      ["GATEWAY_RELOAD_COMMAND", optional("GATEWAY_RELOAD_COMMAND", command)]
    ),
    status: either(
      ["GATEWAY_STATUS_FILE", optional("GATEWAY_STATUS_FILE", nonBlank)],
      ["GATEWAY_STATUS_URL", optional("GATEWAY_STATUS_URL", statusUrl)]
    )
  }),
  ({ reload: [pidFile, reloadCommand], status: [statusFile, statusUrl] }) => ({
    pidFile,
    reloadCommand,
    statusFile,
    statusUrl
  })
)

/** Whoever knows a chat's address may write there: it is a secret, and never shown. */
const webhookUrl: Parse<Redacted.Redacted<string>> = (text) => {
  const problem = webhookUrlProblem(text)
  return problem === undefined ? Result.succeed(Redacted.make(text)) : Result.fail(problem)
}

/** `ALERT_WEBHOOK_*`. */
export const alerts = map(
  warn(
    all({
      url: optional("ALERT_WEBHOOK_URL", webhookUrl),
      format: withDefault("ALERT_WEBHOOK_FORMAT", oneOf(...alertFormats), "json")
    }),
    ({ url }) => {
      const address = url === undefined ? undefined : new URL(Redacted.value(url))
      return address?.protocol === "http:" && !isLoopback(address)
        ? [{ variable: "ALERT_WEBHOOK_URL", problem: "is http:// to another host: alerts travel unencrypted" }]
        : []
    }
  ),
  ({ format, url }): AlertOptions | undefined => (url === undefined ? undefined : { url, format })
)

/** `HTTP_*`. */
export const http = all({
  host: withDefault("HTTP_HOST", name, "127.0.0.1"),
  port: withDefault("HTTP_PORT", integer(0, 65_535), 9464)
})

/** `LOG_*`; without a format the logger chooses by its terminal. */
export const logging = all({
  level: withDefault("LOG_LEVEL", oneOfAnyCase(LogLevel.values), "Info"),
  format: optional("LOG_FORMAT", oneOf("json", "logfmt", "pretty"))
})

/** The endpoint may carry credentials, so it is not shown. */
const otlpEndpoint: Parse<string> = (text) => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    return Result.fail("must be the http:// or https:// URL of an OTLP receiver")
  }
  return text.includes("?") || text.includes("#")
    ? Result.fail("must not have a query or a fragment: each signal's path is appended to it")
    : Result.succeed(text)
}

/** `OTEL_*`. */
export const telemetry = all({
  endpoint: optional("OTEL_EXPORTER_OTLP_ENDPOINT", otlpEndpoint),
  tracesSampler: withDefault("OTEL_TRACES_SAMPLER_ARG", share, 1)
})
