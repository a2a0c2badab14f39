import { type Duration, Result } from "effect"
import { firstRefusal, httpUrlProblem, isName, isStartId, lastRefusal } from "../../domain/events/validators.ts"
import { durationOf } from "../../domain/options/duration.ts"
import { cut, printableJson } from "../../domain/text/printable.ts"
import { type Rate, rateOf, rateRule } from "../../domain/traffic/rate.ts"
import type { Parse } from "./setting.ts"

/**
 * The grammars of the variables. Numbers, words and durations are shown where they are wrong; free text is not: it may be a secret
 * that was set in the wrong variable.
 */

const shown = (text: string): string => printableJson(cut(text, 41))

const ensure =
  <A>(value: (text: string) => A | undefined, rule: string): Parse<A> =>
  (text) => {
    const read = value(text)
    return read === undefined ? Result.fail(`must be ${rule}; it is ${shown(text)}`) : Result.succeed(read)
  }

/** Any text that is not only blanks. */
export const nonBlank: Parse<string> = (text) =>
  text.trim() === "" ? Result.fail("must not be blank") : Result.succeed(text)

/** Text of one pattern. */
export const matching =
  (pattern: RegExp, rule: string): Parse<string> =>
  (text) =>
    pattern.test(text) ? Result.succeed(text) : Result.fail(`must be ${rule}`)

/** A name without blanks in it. */
export const name: Parse<string> = (text) =>
  isName(text) ? Result.succeed(text) : Result.fail("must be a name without whitespace")

/** A whole number in decimal digits. */
export const integer = (minimum: number, maximum: number): Parse<number> =>
  ensure((text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= minimum && value <= maximum ? value : undefined
  }, `a whole number from ${minimum} to ${maximum}`)

/** A share. */
export const share: Parse<number> = ensure((text) => {
  const value = /^(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text) ? Number(text) : Number.NaN
  return value >= 0 && value <= 1 ? value : undefined
}, "a number from 0 to 1")

const DURATION = 'a duration above 0 with its unit, such as "60 seconds" or "500 millis"'

/** An Effect duration string, finite and above 0. */
export const duration: Parse<Duration.Duration> = ensure(durationOf, DURATION)

/** A rate, or none. */
export const rateOrNone: Parse<Rate | undefined> = (text) =>
  text === "none" ? Result.succeed(undefined) : ensure(rateOf, `none or ${rateRule}`)(text)

/** One of some words, or a duration. */
export const wordOrDuration = <const W extends string>(...words: ReadonlyArray<W>): Parse<W | Duration.Duration> =>
  ensure((text) => words.find((word) => word === text) ?? durationOf(text), `${words.join(", ")} or ${DURATION}`)

/** One of some words. */
export const oneOf = <const W extends string>(...words: ReadonlyArray<W>): Parse<W> =>
  ensure((text) => words.find((word) => word === text), `one of ${words.join(", ")}`)

/** One of some words in any case. */
export const oneOfAnyCase = <const W extends string>(words: ReadonlyArray<W>): Parse<W> =>
  ensure(
    (text) => words.find((word) => word.toLowerCase() === text.toLowerCase()),
    `one of ${words.map((word) => word.toLowerCase()).join(", ")}`
  )

/** `on` or `off`. */
export const onOff: Parse<boolean> = (text) => Result.map(oneOf("on", "off")(text), (word) => word === "on")

/** Several values separated by commas, whitespace around them ignored. */
export const list =
  <A>(item: Parse<A>): Parse<ReadonlyArray<A>> =>
  (text) =>
    Result.all(text.split(",").map((part) => item(part.trim())))

/** A list without the same item twice. */
export const distinctList =
  <A extends string>(item: Parse<A>): Parse<ReadonlyArray<A>> =>
  (text) =>
    Result.flatMap(list(item)(text), (items) =>
      new Set(items).size === items.length ? Result.succeed(items) : Result.fail("must not contain duplicates")
    )

/** HTTP error statuses separated by commas, or `none`. */
export const statuses: Parse<ReadonlySet<number>> = (text) =>
  text === "none"
    ? Result.succeed(new Set())
    : Result.mapBoth(list(integer(firstRefusal, lastRefusal))(text), {
        onFailure: () =>
          `must be \`none\` or comma-separated statuses from ${firstRefusal} to ${lastRefusal}; it is ${shown(text)}`,
        onSuccess: (numbers) => new Set(numbers)
      })

/** Where a consumer group starts: `$`, `0` or the id of an entry. */
export const startId: Parse<string> = ensure(
  (text) => (isStartId(text) ? text : undefined),
  "`$`, `0` or the id of a stream entry"
)

/** A URL of HTTP without user, password, query and fragment; it may hide a secret, so it is never shown. */
export const httpUrl: Parse<URL> = (text) => {
  const problem = httpUrlProblem(text)
  return problem === undefined ? Result.succeed(new URL(text)) : Result.fail(problem)
}

/** Whether a host's name or address is this machine itself. */
export const isLoopbackName = (host: string): boolean =>
  /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host)

/** Whether a URL's host is this machine itself. */
export const isLoopback = (url: URL): boolean => isLoopbackName(url.hostname)

/** `host:port`; an IPv6 address stands in brackets. */
export const address: Parse<{ readonly host: string; readonly port: number }> = (text) => {
  const [, ipv6, name, digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:@/[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = ipv6 ?? name
  const port = Number(digits)
  return host !== undefined && port >= 1 && port <= 65_535
    ? Result.succeed({ host, port })
    : Result.fail("must be host:port, or several of them separated by commas")
}
