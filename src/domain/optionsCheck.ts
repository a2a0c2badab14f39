/** What is wrong with options that a composing app gives: the rules of contract section 2, said of its own names. */
import { Duration, Schema } from "effect"
import type { CollectorOptions } from "./options.ts"
import { SERVICE_ID } from "./signature.ts"

/** What is wrong with one option: what it must be. */
export interface OptionProblem {
  readonly option: string
  readonly problem: string
}

/** Every option that is wrong, one line each in the message. */
export class OptionsError extends Schema.TaggedError<OptionsError>()("OptionsError", {
  problems: Schema.Array(Schema.Struct({ option: Schema.String, problem: Schema.String }))
}) {
  override get message(): string {
    return this.problems.map(({ option, problem }) => `${option}: ${problem}`).join("\n")
  }
}

type Rule = readonly [option: string, isKept: boolean, problem: string]

const isUrl = (text: string): boolean => {
  const url = URL.parse(text)
  return (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    `${url.username}${url.password}` === "" &&
    !text.includes("?") &&
    !text.includes("#")
  )
}

const isName = (text: string): boolean => /^\S+$/.test(text)
const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 1
const isSpan = (duration: Duration.Duration): boolean => Duration.isFinite(duration) && Duration.toMillis(duration) > 0

const name = "must be a name without blanks"
const count = "must be a whole number of at least 1"
const span = "must be a duration above 0, and finite"

const counts = ["deliveryConcurrency", "dlqHold", "maxDeliveries"] as const
const spans = ["apiTimeout", "claimIdle", "eventMaxAge", "eventMaxSkew", "shutdownTimeout", "healthInterval"] as const

/** Every stream with the option that names it: those of the sets, and those of the app's own kinds. */
const namedStreams = ({ kinds, streams }: CollectorOptions): ReadonlyArray<readonly [option: string, key: string]> => [
  ...streams.flatMap((set, at) =>
    (["transcribe", "process", "dlq", "abandoned"] as const).map(
      (role) => [`streams[${at}].${role}`, set[role]] as const
    )
  ),
  ...kinds.map((kind, at) => [`kinds[${at}].stream`, kind.stream ?? kind.name] as const)
]

const reserved = ["transcribe", "process", "dlq"]

const rulesOf = (options: CollectorOptions): ReadonlyArray<Rule> => {
  const { apiBaseUrl, configSync, consumerGroup, consumerName, groupStartId, kinds } = options
  const { rejectStatuses, serviceId, sourceRetention, streams } = options
  const named = namedStreams(options)
  const labels = kinds.map((kind) => kind.name)
  return [
    ["apiBaseUrl", isUrl(apiBaseUrl), "must be an http:// or https:// URL without user, password, query and fragment"],
    ["serviceId", SERVICE_ID.test(serviceId), "must be 1 to 64 letters, digits, `_` or `-`"],
    ["consumerGroup", isName(consumerGroup), name],
    ["consumerName", isName(consumerName), name],
    ["groupStartId", /^(?:\$|\d{1,20}(?:-\d{1,20})?)$/.test(groupStartId), "must be `$`, `0` or the id of an entry"],
    [
      "rejectStatuses",
      [...rejectStatuses].every((status) => Number.isInteger(status) && status >= 400 && status <= 599),
      "must be statuses from 400 to 599"
    ],
    ...counts.map((option): Rule => [option, isCount(options[option]), count]),
    ...spans.map((option): Rule => [option, isSpan(options[option]), span]),
    [
      "sourceRetention",
      sourceRetention === "none" || sourceRetention === "acknowledged" || isSpan(sourceRetention),
      "must be none, acknowledged or a duration above 0, and finite"
    ],
    ["configSync.interval", configSync === undefined || isSpan(configSync.interval), span],
    ["streams", streams.length > 0, "must have at least one set: failed events go to its DLQ"],
    ...named.map(([option, key]): Rule => [option, isName(key), name]),
    ...named.flatMap(([option, key], at): ReadonlyArray<Rule> => {
      const same = named.slice(0, at).find(([, other]) => other === key)
      return same === undefined ? [] : [[option, false, `must not be the same as ${same[0]}`]]
    }),
    ...labels.map(
      (label, at): Rule => [
        `kinds[${at}].name`,
        label !== "" && !reserved.includes(label) && labels.indexOf(label) === at,
        "must be a name of its own, and none of transcribe, process and dlq"
      ]
    )
  ]
}

/** What is wrong with options, in their order; empty where nothing is. */
export const optionProblems = (options: CollectorOptions): ReadonlyArray<OptionProblem> =>
  rulesOf(options).flatMap(([option, isKept, problem]) => (isKept ? [] : [{ option, problem }]))
