/** Structured logs on the console (contract section 2, `LOG_LEVEL` and `LOG_FORMAT`), by Effect's own loggers. */
import { Layer, Logger, type LogLevel, References } from "effect"

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

const formats = { json: Logger.formatJson, logfmt: Logger.formatLogFmt }

/** Whether a stream is a terminal, and its user did not ask for no colours (no-color.org). */
const coloured = (stream: "stdout" | "stderr"): boolean =>
  process[stream].isTTY === true && (process.env.NO_COLOR ?? "") === ""

/** Replaces the loggers of what it is provided to; it needs nothing and never fails. */
export const layer = (options: LoggingOptions): Layer.Layer<never> => {
  const stream = options.stream ?? "stdout"
  const terminal = process[stream].isTTY === true
  const format = options.format ?? (terminal ? "pretty" : "json")
  const print = stream === "stderr" ? Logger.withConsoleError : Logger.withConsoleLog
  return Layer.mergeAll(
    Logger.layer([
      format === "pretty" ? Logger.consolePretty({ colors: coloured(stream), mode: "tty" }) : print(formats[format])
    ]),
    Layer.succeed(References.MinimumLogLevel, options.level),
    // The pretty logger finds its stream here.
    Layer.succeed(Logger.LogToStderr, stream === "stderr")
  )
}
