/** Checks the options of a composing app: the rules of contract section 2, under the options' own names. */
import { Duration, Redacted, Schema } from "effect"
import {
  firstRefusal,
  httpUrlProblem,
  isName,
  isStartId,
  lastRefusal,
  webhookUrlProblem
} from "../events/validators.ts"
import { SERVICE_ID } from "../signing/signature.ts"
import { SIGNATURE_SCHEMES } from "../signing/signatureSchemes.ts"
import { partitionFields } from "../traffic/namedPartition.ts"
import { isRate, mostPerSpan, rateRule } from "../traffic/rate.ts"
import type { CollectorOptions } from "./options.ts"

/** What is wrong with one option: what it must be. */
export interface OptionProblem {
  readonly option: string
  readonly problem: string
}

/** Invalid options: `problems` has every one of them with its rule, `message` a line for each. */
export class OptionsError extends Schema.TaggedError<OptionsError>()("OptionsError", {
  problems: Schema.Array(Schema.Struct({ option: Schema.String, problem: Schema.String }))
}) {
  override get message(): string {
    return this.problems.map(({ option, problem }) => `${option}: ${problem}`).join("\n")
  }
}

/** The problem is undefined if the option is valid. */
type Ruling = readonly [option: string, problem: string | undefined]

const must = (isKept: boolean, problem: string): string | undefined => (isKept ? undefined : `must be ${problem}`)

const name = (text: string) => must(isName(text), "a name without whitespace")
const count = (number: number) => must(Number.isSafeInteger(number) && number >= 1, "a whole number of at least 1")
const span = (duration: Duration.Duration) =>
  must(Duration.isFinite(duration) && Duration.toMillis(duration) > 0, "a duration above 0, and finite")

const counts = ["deliveryConcurrency", "dlqHold", "maxDeliveries"] as const
const spans = ["apiTimeout", "claimIdle", "shutdownTimeout", "healthInterval"] as const

/** Streams with the options that name them: the read ones of the sets, and those of the app's own kinds. */
type Named = readonly [option: string, key: string]

const readStreams = ({ builtInKinds, kinds, streams }: CollectorOptions): ReadonlyArray<Named> => [
  ...streams.flatMap(
    ({ dlq, process, transcribe }, at): ReadonlyArray<Named> => [
      ...(builtInKinds
        ? ([
            [`streams[${at}].transcribe`, transcribe],
            [`streams[${at}].process`, process]
          ] as const)
        : []),
      [`streams[${at}].dlq`, dlq]
    ]
  ),
  ...kinds.map((kind, at): Named => [`kinds[${at}].stream`, kind.stream ?? kind.name])
]

/** Nobody reads the abandoned streams, so that sets may share one; what is read must not be one of them, nor read twice. */
const streamRulings = (options: CollectorOptions): ReadonlyArray<Ruling> => {
  const read = readStreams(options)
  const abandoned = options.streams.map((set, at): Named => [`streams[${at}].abandoned`, set.abandoned])
  const clash = ([option, key]: Named, others: ReadonlyArray<Named>): Ruling => {
    const same = others.find(([, other]) => other === key)
    return [option, same === undefined ? undefined : `must not be the same as ${same[0]}`]
  }
  return [
    ["streams", must(options.streams.length > 0, "at least one set: failed events go to its DLQ")],
    ...[...read, ...abandoned].map(([option, key]): Ruling => [option, name(key)]),
    ...read.map((named, at) => clash(named, [...read.slice(0, at), ...abandoned]))
  ]
}

const rateOptionRule = `{ count, perMs }: a whole number from 1 to ${mostPerSpan} in 1,000, 60,000 or 3,600,000 ms`

const kindRateRule = `${rateRule}, or { count, perMs }`

const reserved = ["transcribe", "process", "dlq"]

const isolateByProblem = ({ isolateBy, kinds }: CollectorOptions): string | undefined => {
  const isField = (field: string) =>
    partitionFields.some((known) => known === field) || (kinds.length > 0 && /^[^=]+$/.test(field))
  return (
    must(
      isolateBy.every(isField),
      `of ${partitionFields.join(", ")}, or fields of the app's own kinds, without \`=\``
    ) ?? must(new Set(isolateBy).size === isolateBy.length, "different fields")
  )
}

const rulings = (options: CollectorOptions): ReadonlyArray<Ruling> => {
  const {
    configSync,
    deliveryRate,
    eventMaxAge,
    eventMaxSkew,
    isolateShare,
    outcomeRetention,
    rejectStatuses,
    serviceId,
    sourceRetention
  } = options
  const labels = options.kinds.map((kind) => kind.name)
  return [
    ["apiBaseUrl", httpUrlProblem(options.apiBaseUrl)],
    ["name", must(options.name === undefined || SERVICE_ID.test(options.name), "1 to 64 letters, digits, `_` or `-`")],
    ["serviceId", must(SERVICE_ID.test(serviceId), "1 to 64 letters, digits, `_` or `-`")],
    [
      "signatureSchemes",
      must(
        options.signatureSchemes.every((scheme) => SIGNATURE_SCHEMES.includes(scheme)),
        `of ${SIGNATURE_SCHEMES.join(", ")}`
      )
    ],
    ["consumerGroup", name(options.consumerGroup)],
    ["consumerName", name(options.consumerName)],
    ["groupStartId", must(isStartId(options.groupStartId), "`$`, `0` or the id of a stream entry")],
    [
      "rejectStatuses",
      must(
        [...rejectStatuses].every(
          (status) => Number.isInteger(status) && status >= firstRefusal && status <= lastRefusal
        ),
        `statuses from ${firstRefusal} to ${lastRefusal}`
      )
    ],
    ...counts.map((option): Ruling => [option, count(options[option])]),
    ...spans.map((option): Ruling => [option, span(options[option])]),
    ["deliveryRate", deliveryRate === undefined ? undefined : must(isRate(deliveryRate), rateOptionRule)],
    ["eventMaxAge", must(Duration.toMillis(eventMaxAge) > 0, "a duration above 0; infinite for no bound")],
    ["eventMaxSkew", must(Duration.toMillis(eventMaxSkew) >= 0, "a duration of at least 0; infinite for no bound")],
    [
      "sourceRetention",
      typeof sourceRetention === "string"
        ? must(["none", "acknowledged"].includes(sourceRetention), "none, acknowledged or a duration")
        : span(sourceRetention)
    ],
    [
      "outcomeRetention",
      typeof outcomeRetention === "string"
        ? must(outcomeRetention === "none", "none or a duration")
        : span(outcomeRetention)
    ],
    ["isolateBy", isolateByProblem(options)],
    ["isolateShare", must(isolateShare > 0 && isolateShare <= 1, "a number above 0 and at most 1")],
    ["configSync.interval", configSync === undefined ? undefined : span(configSync.interval)],
    ["configSync.directory", must(configSync === undefined || configSync.directory.trim() !== "", "a folder's path")],
    ["alerts.url", options.alerts === undefined ? undefined : webhookUrlProblem(Redacted.value(options.alerts.url))],
    ...streamRulings(options),
    [
      "kinds",
      must(options.builtInKinds || options.kinds.length > 0, "at least one where the built-in ones are left out")
    ],
    ...labels.map(
      (label, at): Ruling => [
        `kinds[${at}].name`,
        must(
          label !== "" && !reserved.includes(label) && labels.indexOf(label) === at,
          "a name of its own, and none of transcribe, process and dlq"
        )
      ]
    ),
    ...options.kinds.flatMap(
      ({ concurrency, rateLimit }, at): ReadonlyArray<Ruling> => [
        [`kinds[${at}].concurrency`, concurrency === undefined ? undefined : count(concurrency)],
        [`kinds[${at}].rateLimit`, rateLimit === undefined ? undefined : must(isRate(rateLimit), kindRateRule)]
      ]
    )
  ]
}

/** What is wrong with options, in their order; empty where nothing is. */
export const optionProblems = (options: CollectorOptions): ReadonlyArray<OptionProblem> =>
  rulings(options).flatMap(([option, problem]) => (problem === undefined ? [] : [{ option, problem }]))
