/** Logs for a person at a terminal: one line an event, what belongs to it indented below, and a burst summed up. */
import { Clock, Console, Effect, Logger, Predicate, type Scope } from "effect"
import { printable } from "../../domain/text/printable.ts"

type Structured = typeof Logger.formatStructured extends Logger.Logger<unknown, infer Output> ? Output : never

/** Lines of one name that are printed within a window; the others are summed up at its end. */
const mostInWindow = 20
const windowMs = 10_000

const reset = "\u001b[0m"
const bold = "\u001b[1m"
const levelColours: Readonly<Record<string, string>> = {
  TRACE: "\u001b[90m",
  DEBUG: "\u001b[34m",
  INFO: "\u001b[32m",
  WARN: "\u001b[33m",
  ERROR: "\u001b[31m",
  FATAL: "\u001b[30m\u001b[41m"
}

const timeOf = (date: Date): string =>
  `${[date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":")}.${String(date.getMilliseconds()).padStart(3, "0")}`

const textOf = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

/** Indented, so that no line of it passes for one of the log. */
const below = (text: string): ReadonlyArray<string> => text.split("\n").map((line) => `  ${printable(line)}`)

const render = (entry: Structured, coloured: boolean): string => {
  const paint = (text: string, colour: string) => (coloured ? `${colour}${text}${reset}` : text)
  const [first, ...others] = Array.isArray(entry.message) ? entry.message : [entry.message]
  const spans = Object.entries(entry.spans).map(([name, millis]) => ` ${printable(name)}=${millis}ms`)
  const level = paint(entry.level, levelColours[entry.level] ?? "")
  return [
    `[${timeOf(new Date(entry.timestamp))}] ${level} (${entry.fiberId})${spans.join("")}: ${paint(printable(textOf(first)), bold)}`,
    ...(entry.cause === undefined ? [] : below(entry.cause)),
    ...others.flatMap((other) => below(textOf(other))),
    ...Object.entries(entry.annotations).map(
      ([name, value]) => `  ${paint(`${printable(name)}:`, bold)} ${printable(textOf(value))}`
    )
  ].join("\n")
}

/** What was printed of one name in the present window. */
interface Burst {
  readonly since: number
  readonly level: string
  printed: number
  leftOut: number
}

/** A logger that must be closed: what it left out is said then at the latest. */
export const prettyLog = Effect.fnUntraced(function* (options: {
  readonly coloured: boolean
  readonly stream: "stdout" | "stderr"
}): Effect.fn.Return<Logger.Logger<unknown, void>, never, Scope.Scope> {
  const bursts = new Map<string, Burst>()
  const print = (console: Console.Console, text: string): void =>
    options.stream === "stderr" ? console.error(text) : console.log(text)
  const end = (console: Console.Console, name: string, { leftOut, level, since }: Burst, now: number): void => {
    bursts.delete(name)
    if (leftOut === 0) return
    const seconds = Math.max(1, Math.round((now - since) / 1_000))
    const said = `${name}: ${leftOut} more within ${seconds} s, not shown here (LOG_FORMAT=json has each)`
    print(console, `[${timeOf(new Date(now))}] ${level} ${printable(said)}`)
  }
  const endThose = Effect.fnUntraced(function* (isOver: (burst: Burst, now: number) => boolean) {
    const console = yield* Console.Console
    const now = yield* Clock.currentTimeMillis
    for (const [name, burst] of bursts) if (isOver(burst, now)) end(console, name, burst, now)
  })
  const isOver = ({ since }: Burst, now: number): boolean => now >= since + windowMs || now < since
  yield* Effect.addFinalizer(() => endThose(() => true))
  yield* Effect.forkScoped(Effect.forever(Effect.delay(endThose(isOver), "1 second")))
  const structured = Logger.formatStructured
  return Logger.make((entry) => {
    const console = entry.fiber.getRef(Console.Console)
    const told = structured.log(entry)
    const now = entry.date.getTime()
    const [first] = Array.isArray(told.message) ? told.message : [told.message]
    const name = Predicate.isString(first) ? first : ""
    const known = bursts.get(name)
    if (known !== undefined && isOver(known, now)) end(console, name, known, now)
    const burst = bursts.get(name) ?? { since: now, level: told.level, printed: 0, leftOut: 0 }
    bursts.set(name, burst)
    if (burst.printed >= mostInWindow) {
      burst.leftOut += 1
      return
    }
    burst.printed += 1
    print(console, render(told, options.coloured))
  })
})
