import { describe, expect, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { Base64 } from "effect/encoding"
import { defaultStreams } from "../../../src/domain/options/options.ts"
import * as Environment from "../../../src/layers/settings/Environment.ts"
import { collector, everything, linesOf, load, minimal, seed, type Variables } from "./world.ts"

describe("rules", () => {
  const cases: ReadonlyArray<[variable: string, values: ReadonlyArray<string>, rule: RegExp]> = [
    ["REDIS_URL", ["http://x", "127.0.0.1:6379", "redis:x", "nonsense"], /must be redis:\/\//],
    ["REDIS_URL", ["redis://x/a", "redis://x/1/2"], /number of a database/],
    ["REDIS_URL", ["redis://x?db=1", "redis://x#y"], /query/],
    ["REDIS_CLUSTER_NODES", ["a", "a:0", "a:65536", "a:1,,b:2", "u@a:1", "::1:6379"], /must be host:port/],
    ["REDIS_PASSWORD_FILE", ["/nowhere"], /must name a readable file: there is no such file/],
    ["REDIS_PASSWORD_FILE", ["/dev/zero", "/", "/run/pipe"], /must name a readable file: it is not a regular file/],
    ["REDIS_PASSWORD_FILE", ["/run/empty"], /must contain a password/],
    ["REDIS_TLS_CA_FILE", ["/run/password"], /must contain certificates in PEM format$/],
    ["REDIS_TLS_CA_FILE", ["/run/broken-ca"], /certificates in PEM format: number 2 of 2 cannot be read/],
    ["REDIS_SENTINELS", ["s:26379"], /./],
    ["API_BASE_URL", ["", "api.example", "ftp://api", "//api"], /^API_BASE_URL: must be/],
    ["API_BASE_URL", ["https://user:secret@api", "https://user@api"], /without user and password/],
    ["API_BASE_URL", ["https://api?x=1", "https://api#x", "https://api/?"], /without query/],
    ["API_TIMEOUT", ["10", "10s", "0 seconds", "-1 seconds", "Infinity", "ten seconds"], /must be a duration above 0/],
    ["API_REJECT_STATUSES", ["399", "600", "400,", "4xx", "None"], /`none` or comma-separated statuses/],
    ["SIGNATURE_SCHEMES", ["v2", "v1,"], /must be one of v1, rfc9421, standard-webhooks/],
    ["SIGNATURE_SCHEMES", ["v1,v1"], /duplicates/],
    ["SERVICE_ID", ["a b", "x".repeat(65), "ä"], /must be 1 to 64 letters/],
    ["CONSUMER_GROUP", ["a b"], /name without whitespace/],
    ["CONSUMER_NAME", [" "], /name without whitespace/],
    ["GROUP_START_ID", ["-", ">", "1-2-3", "x", "18446744073709551616"], /id of a stream entry/],
    ["DELIVERY_CONCURRENCY", ["0", "-1", "1.5", "1e3", "10001", " 1", "many"], /whole number from 1 to/],
    ["DELIVERY_RATE", ["0/s", "100", "off", "5 per fortnight"], /none or a whole number from 1 to/],
    ["DLQ_HOLD", ["0"], /whole number from 1 to/],
    ["CLAIM_IDLE", ["60"], /duration/],
    ["MAX_DELIVERIES", ["0"], /whole number from 1 to/],
    ["EVENT_MAX_AGE", ["0 days"], /duration/],
    ["EVENT_MAX_SKEW", ["x"], /duration/],
    ["OUTCOME_RETENTION", ["acknowledged", "0 days", "forever"], /none or a duration/],
    ["SOURCE_RETENTION", ["all", "0 days"], /none, acknowledged or a duration/],
    ["CIRCUIT_BREAKER", ["true", "ON"], /one of on, off/],
    ["ISOLATE_BY", ["user", "model,none", "model,"], /one of model, user_id, device_id, session_id.*, or `none` alone/],
    ["ISOLATE_BY", ["model,model"], /duplicates/],
    ["ISOLATE_SHARE", ["0", "1.5", "50%"], /above 0|from 0 to 1/],
    ["CONFIG_SYNC", ["yes"], /one of on, off/],
    ["CONFIG_SYNC_INTERVAL", ["60"], /duration/],
    ["CONFIG_DIR", [" "], /blank/],
    ["CONFIG_DRIFT", ["fix"], /one of repair, report/],
    ["GATEWAY_RELOAD_COMMAND", ["[1]", "[]", "[", '[""]'], /JSON array/],
    ["GATEWAY_STATUS_URL", ["file:///x"], /http/],
    ["HTTP_PORT", ["-1", "65536", "http"], /whole number from 0 to 65535/],
    ["HEALTH_INTERVAL", ["x"], /duration/],
    ["SHUTDOWN_TIMEOUT", ["x"], /duration/],
    ["LOG_LEVEL", ["loud"], /one of all, fatal, error, warn, info, debug, trace, none/],
    ["LOG_FORMAT", ["JSON"], /one of json, logfmt, pretty/],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", ["grpc://x", "x"], /OTLP/],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", ["http://x/v1?a=b", "http://x#y"], /query/],
    ["OTEL_TRACES_SAMPLER_ARG", ["1.1", "-0.1", "half", "1e1"], /from 0 to 1/],
    ["ED25519_PRIVATE_KEY", ["", "abc"], /^ED25519_PRIVATE_KEY: /],
    ["ED25519_PUBLIC_KEY", ["abc", `01${"00".repeat(31)}`], /must be an Ed25519 public key/]
  ]
  it.effect.each(cases)("%s refuses %j", ([variable, values, rule]) =>
    Effect.gen(function* () {
      for (const value of values) {
        const lines = yield* linesOf(everything, { ...minimal, [variable]: value })
        expect(lines, value).toHaveLength(1)
        expect(lines[0]).toMatch(rule)
        expect(lines[0]).toContain(variable)
      }
    })
  )

  const together: ReadonlyArray<[what: string, variables: Variables, lines: ReadonlyArray<RegExp>]> = [
    ["two private keys", { ED25519_PRIVATE_KEY_FILE: "/run/key" }, [/ED25519_PRIVATE_KEY: .*ED25519_PRIVATE_KEY_FILE/]],
    [
      "two ways to reload",
      { GATEWAY_PID_FILE: "/x", GATEWAY_RELOAD_COMMAND: "x" },
      [/GATEWAY_PID_FILE: .*GATEWAY_RELOAD_COMMAND/]
    ],
    [
      "two places of the status",
      { GATEWAY_STATUS_FILE: "/x", GATEWAY_STATUS_URL: "http://x" },
      [/GATEWAY_STATUS_FILE: .*GATEWAY_STATUS_URL/]
    ],
    [
      "Cluster and Sentinel",
      { REDIS_CLUSTER_NODES: "a:1", REDIS_SENTINELS: "b:2", REDIS_SENTINEL_NAME: "n" },
      [/REDIS_CLUSTER_NODES: .*REDIS_SENTINELS/]
    ],
    ["a Cluster with a database", { REDIS_CLUSTER_NODES: "a:1", REDIS_URL: "redis://a/1" }, [/REDIS_URL: .*database/]],
    ["Sentinels without a name", { REDIS_SENTINELS: "a:1" }, [/REDIS_SENTINEL_NAME: must be set/]],
    ["a name without Sentinels", { REDIS_SENTINEL_NAME: "n" }, [/REDIS_SENTINELS: must be set/]],
    [
      "the memory engine with servers",
      { REDIS_URL: "memory:", REDIS_CLUSTER_NODES: "a:1", REDIS_PASSWORD_FILE: "/run/password" },
      [/REDIS_CLUSTER_NODES: .*memory:/, /REDIS_PASSWORD_FILE: .*memory:/]
    ],
    [
      "shards that no name holds",
      { STREAM_SHARDS: "a,b" },
      [/STREAM_TRANSCRIBE: .*\{shard\}/, /STREAM_PROCESS: /, /STREAM_DLQ: /, /STREAM_ABANDONED: /]
    ],
    ["{shard} without shards", { STREAM_DLQ: "d:{shard}" }, [/STREAM_SHARDS: .*STREAM_DLQ/]],
    [
      "a shard twice",
      {
        STREAM_SHARDS: "a,b,a",
        STREAM_TRANSCRIBE: "t{shard}",
        STREAM_PROCESS: "p{shard}",
        STREAM_DLQ: "d{shard}",
        STREAM_ABANDONED: "x{shard}"
      },
      [/STREAM_SHARDS: .*duplicates/]
    ],
    [
      "rules between variables hold where one of them is wrong",
      { REDIS_URL: "x", REDIS_SENTINELS: "y", STREAM_SHARDS: "{", STREAM_DLQ: defaultStreams.process },
      [
        /REDIS_URL: /,
        /REDIS_SENTINELS: /,
        /REDIS_SENTINEL_NAME: /,
        /STREAM_SHARDS: must be comma-separated shard names/,
        /STREAM_TRANSCRIBE: /,
        /STREAM_PROCESS: /,
        /STREAM_DLQ: /,
        /STREAM_ABANDONED: /
      ]
    ],
    [
      "a variable with several faults has one line",
      {
        REDIS_CLUSTER_NODES: "x",
        REDIS_SENTINELS: "a:1",
        REDIS_SENTINEL_NAME: "n",
        STREAM_DLQ: " ",
        STREAM_PROCESS: " "
      },
      [/REDIS_CLUSTER_NODES: must be host:port/, /STREAM_PROCESS: .*whitespace/, /STREAM_DLQ: .*whitespace/]
    ],
    ["the same stream twice", { STREAM_PROCESS: "x", STREAM_DLQ: "x" }, [/STREAM_DLQ: .*STREAM_PROCESS/]],
    ["the name of another's default", { STREAM_DLQ: defaultStreams.transcribe }, [/STREAM_DLQ: .*STREAM_TRANSCRIBE/]]
  ]
  it.effect.each(together)("%s", ([, variables, lines]) =>
    Effect.gen(function* () {
      const said = yield* linesOf(everything, { ...minimal, ...variables })
      expect(said).toHaveLength(lines.length)
      for (const [index, line] of lines.entries()) expect(said[index]).toMatch(line)
    })
  )

  it.effect("the private key is required, and is said once", () =>
    Effect.gen(function* () {
      const lines = yield* linesOf(everything, { API_BASE_URL: "https://api" })
      expect(lines).toHaveLength(1)
      expect(lines[0]).toMatch(/ED25519_PRIVATE_KEY: or ED25519_PRIVATE_KEY_FILE must be set/)
      const file = yield* linesOf(everything, {
        API_BASE_URL: "https://api",
        ED25519_PRIVATE_KEY_FILE: "/run/nonsense"
      })
      expect(file).toEqual([
        expect.stringMatching(/^ED25519_PRIVATE_KEY_FILE: the file that it names must be a 32-byte/)
      ])
    })
  )
})

describe("problems", () => {
  it.effect("ten bad variables make ten lines, and no stack", () =>
    Effect.gen(function* () {
      const bad = {
        REDIS_URL: "x",
        API_BASE_URL: "x",
        API_TIMEOUT: "x",
        SERVICE_ID: "x y",
        CLAIM_IDLE: "x",
        ED25519_PRIVATE_KEY: "x",
        CONFIG_DRIFT: "x",
        HTTP_PORT: "x",
        LOG_LEVEL: "x",
        OTEL_TRACES_SAMPLER_ARG: "x"
      }
      const error = yield* Effect.flip(load(everything, bad))
      expect(error._tag).toBe("SettingsError")
      expect(error.problems.map(({ variable }) => variable).sort()).toEqual(Object.keys(bad).sort())
      const lines = error.message.split("\n")
      expect(lines).toHaveLength(10)
      for (const line of lines) expect(line).toMatch(/^[A-Z0-9_]+: .*must be/)
    })
  )

  it.effect("a variable that two groups share is said once", () =>
    Effect.gen(function* () {
      const twice = Environment.all({ api: Environment.api, collector })
      expect(yield* linesOf(twice, { API_BASE_URL: "x", SERVICE_ID: "x y" })).toHaveLength(2)
    })
  )

  it.effect("an unreadable source is a problem of the variable", () =>
    Effect.gen(function* () {
      const provider = ConfigProvider.make(() => Effect.fail(new ConfigProvider.SourceError({ message: "away" })))
      const error = yield* Environment.load(Environment.http).pipe(
        Effect.provide(ConfigProvider.layer(provider)),
        Effect.flip
      )
      expect(error.message).toMatch(/^HTTP_HOST: cannot be read.*\nHTTP_PORT: cannot be read/)
    })
  )

  it.effect("no secret is in a message, an error or what is read", () =>
    Effect.gen(function* () {
      const secret = "s3cr3t-w0rd"
      const almost = `${seed.slice(0, 62)}zz`
      const attempts: ReadonlyArray<Variables> = [
        { ED25519_PRIVATE_KEY: almost },
        { ED25519_PRIVATE_KEY: `-----BEGIN PRIVATE KEY-----\n${Base64.encode(secret)}\n-----END PRIVATE KEY-----` },
        { ED25519_PRIVATE_KEY: "", ED25519_PRIVATE_KEY_FILE: almost },
        { ED25519_PUBLIC_KEY: almost },
        { REDIS_URL: `redis://user:${secret}@host/x` },
        { REDIS_URL: `redis://user:${secret}@host?x` },
        { REDIS_URL: `user:${secret}@host` },
        { REDIS_PASSWORD_FILE: secret },
        { API_BASE_URL: `https://user:${secret}@api` },
        { API_BASE_URL: `https://api?key=${secret}` },
        { GATEWAY_STATUS_URL: `https://user:${secret}@api` },
        { GATEWAY_RELOAD_COMMAND: `["curl", "${secret}"` },
        { SERVICE_ID: `${secret} ${seed}` },
        { CONSUMER_NAME: `${secret} ${seed}` },
        { REDIS_CLUSTER_NODES: `user:${secret}@host:6379` },
        { STREAM_DLQ: `${secret} ${seed}` },
        { OTEL_EXPORTER_OTLP_ENDPOINT: `user:${secret}@otlp` }
      ]
      for (const variables of attempts) {
        const error = yield* Effect.flip(load(everything, { ...minimal, ...variables }))
        const shown = `${error.message} ${error} ${JSON.stringify(error)} ${error.stack}`
        for (const part of [secret, Base64.encode(secret), seed.slice(0, 12)]) expect(shown).not.toContain(part)
      }
      const read = yield* load(everything, {
        ...minimal,
        REDIS_URL: `redis://user:${secret}@host`,
        REDIS_PASSWORD_FILE: "/run/password"
      })
      const shown = `${JSON.stringify(read)} ${String(read.settings.signing.privateKey)}`
      for (const part of [secret, seed, "hunter2"]) expect(shown).not.toContain(part)
    })
  )
})

describe("warnings", () => {
  it.effect("http:// to another host warns, to this one not", () =>
    Effect.gen(function* () {
      const warningsOf = (url: string) =>
        Effect.map(load(Environment.api, { API_BASE_URL: url }), ({ warnings }) => warnings)
      for (const url of ["http://api.example", "http://10.0.0.1", "http://localhost.example", "http://[::2]:80"]) {
        expect(yield* warningsOf(url)).toEqual([expect.stringMatching(/^API_BASE_URL: is http:\/\/ to another host/)])
      }
      for (const url of [
        "https://api",
        "http://localhost:80",
        "http://127.0.0.1",
        "http://127.9.9.9",
        "http://[::1]"
      ]) {
        expect(yield* warningsOf(url)).toEqual([])
      }
    })
  )

  it.effect("say that a password would travel unencrypted to another host", () =>
    Effect.gen(function* () {
      const warningsOf = (variables: Variables) =>
        Effect.map(load(Environment.exposure, variables), ({ warnings }) => warnings)
      const open: ReadonlyArray<Variables> = [
        { REDIS_URL: "redis://:secret@redis.example" },
        { REDIS_URL: "redis://10.0.0.1:6379", REDIS_PASSWORD_FILE: "/run/password" },
        { REDIS_URL: "redis://:secret@127.0.0.1", REDIS_CLUSTER_NODES: "127.0.0.1:1,node.example:2" }
      ]
      for (const variables of open) {
        expect(yield* warningsOf(variables)).toEqual([
          expect.stringMatching(/^REDIS_URL: sends its password unencrypted/)
        ])
      }
      const closed: ReadonlyArray<Variables> = [
        {},
        { REDIS_URL: "redis://redis.example" },
        { REDIS_URL: "rediss://:secret@redis.example" },
        { REDIS_URL: "redis://:secret@localhost" },
        { REDIS_URL: "memory:" },
        { REDIS_URL: "nonsense" }
      ]
      for (const variables of closed) expect(yield* warningsOf(variables)).toEqual([])
    })
  )

  it.effect("authorities without TLS warn", () =>
    Effect.gen(function* () {
      const { warnings } = yield* load(Environment.redis, { REDIS_TLS_CA_FILE: "/run/ca" })
      expect(warnings).toEqual([expect.stringMatching(/^REDIS_TLS_CA_FILE: has no effect/)])
    })
  )
})
