/** Structured logs on the console (contract section 2, `LOG_LEVEL` and `LOG_FORMAT`). */
import { Layer, Logger, type LogLevel, References } from "effect"
import { printable } from "../../domain/text/printable.ts"
import { prettyLog } from "./prettyLog.ts"

/** One JSON object a line, one logfmt line, or colours for a person at a terminal. */
export type LogFormat = "json" | "logfmt" | "pretty"

export interface LoggingOptions {
  /** What is less severe than this is dropped before it is formatted. */
  readonly level: LogLevel.LogLevel
  /** Without one: `pretty` where the chosen stream is a terminal, else `json`. */
  readonly format?: LogFormat | undefined
  /** `stdout` for the service, `stderr` for commands whose output is data. Default `stdout`. */
  readonly stream?: "stdout" | "stderr" | undefined
}

// Values come from producers and from the API: an escape in them is written out, in JSON without changing the value.
const formats = {
  json: Logger.map(Logger.formatJson, printable),
  logfmt: Logger.map(Logger.formatLogFmt, printable)
}

/** Whether a stream is a terminal, and its user did not ask for no colours (no-color.org). */
const isColoured = (stream: "stdout" | "stderr"): boolean =>
  process[stream].isTTY === true && (process.env.NO_COLOR ?? "") === ""

/** Replaces the loggers of what it is provided to; it needs nothing and never fails. */
export const layer = (options: LoggingOptions): Layer.Layer<never> => {
  const stream = options.stream ?? "stdout"
  const format = options.format ?? (process[stream].isTTY === true ? "pretty" : "json")
  const print = stream === "stderr" ? Logger.withConsoleError : Logger.withConsoleLog
  const logger = format === "pretty" ? prettyLog({ coloured: isColoured(stream), stream }) : print(formats[format])
  return Layer.mergeAll(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, options.level))
}
