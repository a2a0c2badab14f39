/** Configurations from the API, the files that keep them, and settings. */
import { Cause, ConfigProvider, Effect, Exit, Layer, Result, type Schema } from "effect"
import { type Bundle, contentOf } from "../../../src/domain/gatewayConfig/bundle.ts"
import { diff, renderChanges } from "../../../src/domain/gatewayConfig/diff.ts"
import { bundleOfFiles, filesOfBundle } from "../../../src/domain/gatewayConfig/files.ts"
import { review } from "../../../src/domain/gatewayConfig/review.ts"
import { ConfigState, GenerationRecord, Journal, LockHolder } from "../../../src/domain/gatewayConfig/state.ts"
import { jsonFile } from "../../../src/layers/gatewayConfig/durable.ts"
import * as Environment from "../../../src/layers/settings/Environment.ts"
import { parseBundleResponse } from "../../../src/programs/gatewayConfig/parseBundleResponse.ts"
import { everything, fileSystem, minimal } from "../../layers/settings/world.ts"
import { bytesOf, mustBePlain, mustHold, shapeOf, type Target } from "../target.ts"

const sample = {
  version: 2,
  openai_keys: [{ id: "primary", key: "sk-secret-12345" }],
  model_configs: [{ id: "gpt-4o", provider: "openai", enabled: true, rules: { max: 1 }, costs: { input: 0.15 } }],
  rate_limits: [{ model: "gpt-4o", requests_per_minute: 600, tokens_per_minute: 100_000 }]
}

const decode = (text: string) =>
  parseBundleResponse({ _tag: "Fetched", body: Buffer.from(text), etag: undefined, contentDigest: undefined })
const applied: Bundle = Result.getOrThrow(decode(JSON.stringify({ ...sample, version: 1 })))

export const bundles: Target = {
  name: "bundles",
  seeds: [
    [JSON.stringify(sample)],
    [JSON.stringify({ ...sample, openai_keys: [] })],
    [`{"version":3,"a":12345678901234567891}`]
  ],
  words: ["openai_keys", "model_configs", '"id":', '"version":', "12345678901234567891", "sk-secret-12345"],
  attempt: ([text = ""]) => {
    const read = decode(text)
    if (Result.isFailure(read)) return shapeOf(read.failure.problem)
    const bundle = read.success
    const back = bundleOfFiles(filesOfBundle(bundle))
    mustHold(Result.isSuccess(back) && contentOf(back.success) === contentOf(bundle), "its files hold another bundle")
    const verdict = review({ version: 1, content: contentOf(applied), bundle: applied }, bundle, {
      accepted: undefined,
      keptOut: undefined
    })
    const shown = renderChanges(diff(applied, bundle))
    mustHold(shown.length <= 110, "more changes are shown than anybody reads")
    for (const line of shown) mustHold(!line.includes("sk-secret"), "a key is shown")
    return `${verdict._tag} ${shown.length > 3}`
  }
}

const check = <A, I>(schema: Schema.Codec<A, I>, bytes: Uint8Array): boolean => {
  const file = jsonFile(schema)
  const value = file.parse(bytes)
  if (value === undefined) return false
  const written = file.bytes(value)
  const again = file.parse(written)
  mustHold(again !== undefined, "what decodes does not when it is written again")
  if (again !== undefined)
    mustHold(Buffer.compare(written, file.bytes(again)) === 0, "it is another when it is written again")
  return true
}

const stored = { mode: 384, content: "e30=" }
const record = { generation: 1, version: 1, etag: null, installedAt: 1.5, reason: "install", parent: null }

export const stateFiles: Target = {
  name: "state",
  passes: 4,
  seeds: [
    [JSON.stringify({ settled: { generation: 1, at: 1 }, hold: { since: 1, until: null }, newest: 3 })],
    [JSON.stringify({ keptOut: { version: 1, generation: 1, cause: "gateway", at: 1 }, left: [] })],
    [JSON.stringify({ generation: 1, done: false })],
    [JSON.stringify({ ...record, files: { "openai.conf": stored, "models.conf": stored } })],
    [JSON.stringify({ host: "h", bootId: null, pid: 1, startTime: null, nonce: "n" })]
  ],
  words: ["generation", '"files":', "e30=", "null", '"at":'],
  attempt: ([text = ""]) => {
    const bytes = bytesOf(text)
    return [
      check(ConfigState, bytes),
      check(GenerationRecord, bytes),
      check(Journal, bytes),
      check(LockHolder, bytes)
    ].join()
  }
}

const all = Environment.all({ everything, streams: Environment.streams, exposure: Environment.exposure })

export const settings: Target = {
  name: "settings",
  passes: 4,
  brief: true,
  seeds: [
    [],
    ["REDIS_URL", "rediss://user:pass@host:6380/1", "STREAM_SHARDS", "a,b", "STREAM_DLQ", "{shard}:dlq"],
    ["REDIS_CLUSTER_NODES", "a:1,[::1]:2", "API_REJECT_STATUSES", "400,422", "CLAIM_IDLE", "60 seconds"],
    ["SOURCE_RETENTION", "7 days", "GROUP_START_ID", "1-1", "GATEWAY_RELOAD_COMMAND", "nginx -s reload"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://host:4318", "OTEL_TRACES_SAMPLER_ARG", "0.5", "LOG_LEVEL", "debug"],
    ["ED25519_PRIVATE_KEY", "", "ED25519_PRIVATE_KEY_FILE", "/run/key", "HTTP_PORT", "0", "DLQ_HOLD", "5"]
  ],
  words: [
    "API_BASE_URL",
    "API_TIMEOUT",
    "CONSUMER_NAME",
    "SERVICE_ID",
    "1 day",
    "-1 second",
    "http://",
    "{shard}",
    "none"
  ],
  attempt: (input) => {
    const variables: Record<string, string> = { ...minimal }
    for (let i = 0; i + 1 < input.length; i += 2) variables[input[i] ?? ""] = input[i + 1] ?? ""
    const world = Layer.mergeAll(fileSystem, ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables)))
    const exit = Effect.runSyncExit(Effect.provide(Environment.load(all), world))
    if (Exit.isSuccess(exit)) return `fine ${exit.value.warnings.length}`
    const error = Cause.squash(exit.cause)
    mustHold(error instanceof Environment.SettingsError, `a defect: ${String(error)}`)
    if (!(error instanceof Environment.SettingsError)) return "defect"
    for (const line of error.message.split("\n")) mustBePlain(line, "a line of the error")
    return error.problems
      .map(({ problem, variable }) => `${variable} ${problem}`)
      .join()
      .slice(0, 80)
  }
}
