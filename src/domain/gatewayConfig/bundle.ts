/** The configuration bundle the API serves (contract section 7): what it must be, and when two hold the same. */
import { Result, Schema, SchemaIssue } from "effect"
import { isLongNumber, parseLossless, withDoubles } from "../json/losslessJson.ts"

/** A JSON object of one of the three lists. It may carry more keys than the contract names; they are kept. */
export interface Entry {
  readonly [key: string]: unknown
}

/** A bundle as it came, its lists untouched; only {@link decodeBundle} and `bundleOfFiles` make one. */
export interface Bundle {
  /** Integer ≥ 1. */
  readonly version: number
  /** `{id, key}` each, ids unique. Secret. */
  readonly openai_keys: ReadonlyArray<Entry>
  /** `{id, provider, enabled, rules, costs}` each, ids unique. */
  readonly model_configs: ReadonlyArray<Entry>
  /** `{model, requests_per_minute, tokens_per_minute}` each, one a model. */
  readonly rate_limits: ReadonlyArray<Entry>
}

export type ListName = "openai_keys" | "model_configs" | "rate_limits"
export const listNames: ReadonlyArray<ListName> = ["openai_keys", "model_configs", "rate_limits"]

/** The key that names an entry of each list. */
export const entryKey: Record<ListName, "id" | "model"> = {
  openai_keys: "id",
  model_configs: "id",
  rate_limits: "model"
}

export type RefusalRule = "digest" | "decode" | "duplicate" | "unknown-model" | "empty" | "older" | "altered"

/** A bundle that must not be installed. `problem` names the field and the rule, never a value. */
export class ConfigRefused extends Schema.TaggedError<ConfigRefused>()("ConfigRefused", {
  rule: Schema.Literals(["digest", "decode", "duplicate", "unknown-model", "empty", "older", "altered"]),
  problem: Schema.String,
  /** The bundle's version, where it could be read. */
  version: Schema.UndefinedOr(Schema.Int)
}) {
  override get message(): string {
    return this.problem
  }
}

const Rate = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** What the API serves, as the published description of the API shows it too. */
export const BundleSchema = Schema.Struct({
  version: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  openai_keys: Schema.Array(Schema.Struct({ id: Schema.NonEmptyString, key: Schema.NonEmptyString })),
  model_configs: Schema.Array(
    Schema.Struct({
      id: Schema.NonEmptyString,
      provider: Schema.NonEmptyString,
      enabled: Schema.Boolean,
      rules: Schema.Record(Schema.String, Schema.Unknown),
      costs: Schema.Record(Schema.String, Schema.Unknown)
    })
  ),
  rate_limits: Schema.Array(
    Schema.Struct({ model: Schema.NonEmptyString, requests_per_minute: Rate, tokens_per_minute: Rate })
  )
})

const isBundle = Schema.decodeUnknownResult(BundleSchema, { errors: "all" })
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()
const utf8 = new TextDecoder("utf-8", { fatal: true })

/** Deeper than any real rule or cost, shallow enough for recursion. */
const MAX_DEPTH = 64

export const isObject = (value: unknown): value is Entry =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isLongNumber(value)

/** Whether a value nests deeper than any walk over it should go. */
export const nestsTooDeep = (value: unknown, left = MAX_DEPTH): boolean =>
  typeof value === "object" &&
  value !== null &&
  (left === 0 || Object.values(value).some((member) => nestsTooDeep(member, left - 1)))

const refuse = (rule: RefusalRule, problem: string, version?: number): Result.Result<never, ConfigRefused> =>
  Result.fail(new ConfigRefused({ rule, problem, version }))

const pathText = (path: ReadonlyArray<unknown>): string => path.map(String).join(".")

const firstDuplicate = (entries: ReadonlyArray<Entry>, key: string): number => {
  const seen = new Set<unknown>()
  return entries.findIndex((entry) => seen.size === seen.add(entry[key]).size)
}

/**
 * Checks parsed JSON against every rule that needs no other bundle: shape, unique ids, rate limits of known models.
 * The lists are taken as they are, so that unknown keys survive, and every digit of a number.
 */
export const checkBundle = (json: unknown): Result.Result<Bundle, ConfigRefused> => {
  const version = isObject(json) && Number.isSafeInteger(json.version) ? (json.version as number) : undefined
  if (nestsTooDeep(json)) {
    return refuse("decode", `the bundle nests deeper than ${MAX_DEPTH} levels`, version)
  }
  const decoded = isBundle(withDoubles(json))
  if (Result.isFailure(decoded)) {
    const problems = issuesOf(decoded.failure.issue)
      .issues.slice(0, 5)
      .map((issue) => `${pathText(issue.path ?? []) || "the bundle"}: ${issue.message}`)
    return refuse("decode", `the bundle does not decode: ${problems.join("; ")}`, version)
  }
  const bundle = { ...(json as Bundle), version: decoded.success.version }
  for (const list of listNames) {
    const at = firstDuplicate(bundle[list], entryKey[list])
    if (at >= 0) {
      return refuse("duplicate", `${list}.${at}.${entryKey[list]}: another entry has the same`, bundle.version)
    }
  }
  const models = new Set(bundle.model_configs.map((model) => model.id))
  const stray = bundle.rate_limits.findIndex((limit) => !models.has(limit.model))
  if (stray >= 0) {
    return refuse("unknown-model", `rate_limits.${stray}.model: no model of that id is configured`, bundle.version)
  }
  return Result.succeed({
    version: bundle.version,
    openai_keys: bundle.openai_keys,
    model_configs: bundle.model_configs,
    rate_limits: bundle.rate_limits
  })
}

/** Parses JSON bytes; undefined where they are not UTF-8 or not JSON. (A parser's own message would quote the text.) */
export const parseJson = (bytes: Uint8Array): { readonly json: unknown } | undefined => {
  try {
    return { json: parseLossless(utf8.decode(bytes)) }
  } catch {
    return undefined
  }
}

/** Decodes a response body (contract section 7). */
export const decodeBundle = (body: Uint8Array): Result.Result<Bundle, ConfigRefused> => {
  const parsed = parseJson(body)
  return parsed === undefined
    ? refuse("decode", "the bundle does not decode: the body is not JSON in UTF-8")
    : checkBundle(parsed.json)
}

const canonical = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  if (!isObject(value)) return JSON.stringify(value)
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(",")}}`
}

/**
 * A text that is equal for bundles of the same content whatever their version: the order of object keys does not
 * count, nor the order of the three lists' entries, which a database may return in any order.
 */
export const contentOf = (bundle: Bundle): string =>
  listNames.map((list) => bundle[list].map(canonical).sort().join("\n")).join("\n\n")
