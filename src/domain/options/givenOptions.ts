/** Options as a composing app gives them, from JavaScript too: made whole, or every one that is wrong, by name. */
import { Duration, Option, Redacted } from "effect"
import { type AlertFormat, type AlertOptions, alertFormats } from "../alerts/alert.ts"
import type { EventKind } from "../events/eventKind.ts"
import type { ConfigSyncOptions } from "../gatewayConfig/options.ts"
import { type CollectorOptions, defaultOptions } from "./options.ts"
import { type OptionProblem, optionProblems } from "./optionsCheck.ts"

type DurationOption = "apiTimeout" | "claimIdle" | "eventMaxAge" | "eventMaxSkew" | "shutdownTimeout" | "healthInterval"

/** The options of which a composing app may give more than they resolve to. */
type Wider =
  | DurationOption
  | "apiBaseUrl"
  | "rejectStatuses"
  | "sourceRetention"
  | "outcomeRetention"
  | "configSync"
  | "alerts"
  | "kinds"

/** Configuration sync as an app gives it: the interval may be any `Duration.Input`. */
export interface GivenConfigSync extends Omit<ConfigSyncOptions, "interval"> {
  readonly interval: Duration.Input
}

/** A webhook for alerts, as an app gives it. */
export interface GivenAlerts {
  readonly url: string | Redacted.Redacted<string>
  readonly format?: AlertFormat | undefined
}

/**
 * What a composing app says: where the API is, and whatever differs from the defaults. What is `undefined` counts as left
 * out; a duration may be any `Duration.Input`, such as `"5 seconds"`.
 */
export type GivenOptions<R = never> = {
  readonly [Name in Exclude<keyof CollectorOptions, Wider>]?: CollectorOptions[Name] | undefined
} & {
  readonly [Name in DurationOption]?: Duration.Input | undefined
} & {
  /** The jobs API, `http://` or `https://`; paths such as `/api/jobs/add` are appended. */
  readonly apiBaseUrl: string
  /** HTTP statuses (400 to 599) that no retry can help; default 400, 413, 422. */
  readonly rejectStatuses?: Iterable<number> | undefined
  /** What trims the source streams; default `none`. A duration keeps acknowledged entries for as long. */
  readonly sourceRetention?: "none" | "acknowledged" | Duration.Input | undefined
  /** How long `why` can tell how a delivered event ended; default `none`. */
  readonly outcomeRetention?: "none" | Duration.Input | undefined
  /** Where alerts are posted; the format defaults to `json`. Default: nowhere. */
  readonly alerts?: GivenAlerts | undefined
  /** Event kinds of the app's own, beside the built-in ones; default none. `R` is what their requests need. */
  readonly kinds?: ReadonlyArray<EventKind<R>> | undefined
}

/** A value as its option has it, or what it must be. */
type Read<A> = (value: unknown) => { readonly value: A } | { readonly must: string }

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const reading =
  <A>(isOne: (value: unknown) => value is A, must: string): Read<A> =>
  (value) =>
    isOne(value) ? { value } : { must }

const text = reading((value) => typeof value === "string", "a text")
const number = reading((value) => typeof value === "number", "a number")
const flag = reading((value) => typeof value === "boolean", "true or false")
const texts = reading(
  (value): value is ReadonlyArray<string> => Array.isArray(value) && value.every((one) => typeof one === "string"),
  "an array of texts"
)

const duration: Read<Duration.Duration> = (value) => {
  const read =
    isObject(value) || ["number", "bigint", "string"].includes(typeof value) ? (value as Duration.Input) : NaN
  const found = Option.filter(
    Option.liftThrowable(Duration.fromInput)(read).pipe(Option.flatten),
    () => !Number.isNaN(read)
  )
  return Option.isSome(found) ? { value: found.value } : { must: 'a duration, such as "5 seconds"' }
}

const orDuration =
  <const Word extends string>(...words: ReadonlyArray<Word>): Read<Word | Duration.Duration> =>
  (value) => {
    const word = words.find((one) => one === value)
    if (word !== undefined) return { value: word }
    const read = duration(value)
    return "value" in read ? read : { must: `${words.join(", ")} or ${read.must}` }
  }

const statuses: Read<ReadonlySet<number>> = (value) => {
  const all = isObject(value) && Symbol.iterator in value ? [...(value as Iterable<unknown>)] : [undefined]
  return all.every((status) => typeof status === "number")
    ? { value: new Set(all) }
    : { must: "a set or an array of numbers" }
}

const setKeys = ["transcribe", "process", "dlq", "abandoned"] as const

const streams = reading(
  (value): value is CollectorOptions["streams"] =>
    Array.isArray(value) && value.every((set) => isObject(set) && setKeys.every((key) => typeof set[key] === "string")),
  `an array of sets, each with the texts ${setKeys.join(", ")}`
)

const rate = reading(
  (value): value is NonNullable<CollectorOptions["deliveryRate"]> =>
    isObject(value) && typeof value.count === "number" && typeof value.perMs === "number",
  "{ count, perMs }, two numbers"
)

const configSync: Read<ConfigSyncOptions> = (value) => {
  const must = "{ interval, directory, drift }: a duration, a text, and repair or report"
  if (!isObject(value) || typeof value.directory !== "string") return { must }
  const interval = duration(value.interval)
  const { directory, drift = "repair", fileGroup } = value
  if ("must" in interval || (drift !== "repair" && drift !== "report")) return { must }
  if (fileGroup !== undefined && typeof fileGroup !== "string") return { must: "its fileGroup must be a text" }
  return { value: { directory, drift, interval: interval.value, fileGroup } }
}

const alerts: Read<AlertOptions> = (value) => {
  const must = `{ url, format }: a text (or Redacted), and ${alertFormats.join(" or ")}`
  if (!isObject(value)) return { must }
  const { format: given, url } = value
  const format = given === undefined ? "json" : alertFormats.find((known) => known === given)
  const address: unknown = Redacted.isRedacted(url) ? Redacted.value(url) : url
  if (format === undefined || typeof address !== "string") return { must }
  return { value: { url: Redacted.make(address), format } }
}

const kinds = reading(
  (value): value is CollectorOptions["kinds"] =>
    Array.isArray(value) &&
    value.every((kind) => isObject(kind) && typeof kind.name === "string" && typeof kind.prepare === "function"),
  "an array of kinds that EventKind.make made"
)

const readers: { readonly [Name in keyof CollectorOptions]: Read<NonNullable<CollectorOptions[Name]>> } = {
  apiBaseUrl: text,
  apiTimeout: duration,
  rejectStatuses: statuses,
  serviceId: text,
  signatureSchemes: texts as Read<CollectorOptions["signatureSchemes"]>,
  consumerGroup: text,
  consumerName: text,
  streams,
  groupStartId: text,
  deliveryConcurrency: number,
  deliveryRate: rate,
  dlqHold: number,
  claimIdle: duration,
  maxDeliveries: number,
  eventMaxAge: duration,
  eventMaxSkew: duration,
  sourceRetention: orDuration("none", "acknowledged"),
  outcomeRetention: orDuration("none"),
  circuitBreaker: flag,
  isolateBy: texts,
  isolateShare: number,
  shutdownTimeout: duration,
  healthInterval: duration,
  configSync,
  alerts,
  name: text,
  builtInKinds: flag,
  apiProbe: flag,
  kinds
}

/** The options as they hold, and what is wrong with them: empty where nothing is. */
export const resolveOptions = (
  given: Readonly<Record<string, unknown>>
): { readonly options: CollectorOptions; readonly problems: ReadonlyArray<OptionProblem> } => {
  const mistyped: Array<OptionProblem> = []
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const reader = Object.hasOwn(readers, name) ? readers[name as keyof CollectorOptions] : undefined
    const found = reader?.(value)
    if (found === undefined) mistyped.push({ option: name, problem: "is no option" })
    else if ("must" in found) mistyped.push({ option: name, problem: `must be ${found.must}` })
    else read[name] = found.value
  }
  const options: CollectorOptions = { ...defaultOptions, apiBaseUrl: "", ...read }
  const isMistyped = (option: string) => mistyped.some((problem) => option.split(/[.[]/, 1)[0] === problem.option)
  const broken = optionProblems(options).filter(({ option }) => !isMistyped(option))
  return { options, problems: [...broken, ...mistyped] }
}
