/** What an API serves for the gateway (contract section 7). */
import { Effect, Result } from "effect"
import { type Bundle, contentOf } from "../../domain/gatewayConfig/bundle.ts"
import type { WireAnswer } from "../../services/ApiWire.ts"
import { parseBundleResponse } from "../gatewayConfig/parseBundleResponse.ts"
import type { Rule } from "./rule.ts"
import { broken, type Subject, shown } from "./subject.ts"

const parsed = ({ body, headers }: WireAnswer, contentDigest: string | undefined) =>
  parseBundleResponse({ _tag: "Fetched", body, etag: headers.etag, contentDigest })

/** The bundle of a signed GET, its digest aside. */
const fetchBundle = Effect.fnUntraced(function* (api: Subject) {
  const answer = yield* api.get()
  if (answer.status !== 200) return yield* broken(shown(answer))
  const bundle = parsed(answer, undefined)
  return Result.isSuccess(bundle) ? { answer, bundle: bundle.success } : yield* broken(bundle.failure.problem)
})

const counts = ({ model_configs, openai_keys, rate_limits, version }: Bundle): string =>
  `version ${version}: ${openai_keys.length} keys, ${model_configs.length} models, ${rate_limits.length} limits`

export const configurations: ReadonlyArray<Rule> = [
  {
    id: "configuration",
    title: "a signed GET is answered with a configuration",
    check: Effect.fnUntraced(function* (api) {
      return counts((yield* fetchBundle(api)).bundle)
    })
  },
  {
    id: "configuration-signed",
    title: "the configuration is refused with 401 to who did not sign",
    check: Effect.fnUntraced(function* (api) {
      for (const [what, departures] of [
        ["no headers", { headers: { authorization: undefined, "x-service-id": undefined } }],
        ["an unknown key", { signer: api.stranger }],
        ["a time an hour ago", { skew: -3_600 }]
      ] as const) {
        const answer = yield* api.get(departures)
        if (answer.status !== 401) return yield* broken(`${what}: ${shown(answer)}`)
      }
      return "401 without headers, by an unknown key, of an hour ago"
    })
  },
  {
    id: "etag",
    title: "the configuration has an ETag, and is 304 to who knows it",
    check: Effect.fnUntraced(function* (api) {
      const { answer } = yield* fetchBundle(api)
      const { etag } = answer.headers
      if (etag === undefined) return yield* broken("there is no ETag")
      const known = yield* api.get({ headers: { "if-none-match": etag } })
      if (known.status !== 304) return yield* broken(`If-None-Match: ${etag}: ${shown(known)}`)
      if (known.body.length > 0) return yield* broken(`the 304 has a body of ${known.body.length} bytes`)
      const other = yield* api.get({ headers: { "if-none-match": '"never-served"' } })
      if (other.status !== 200) return yield* broken(`If-None-Match of another: ${shown(other)}`)
      return `304 for ${etag}, 200 for another`
    })
  },
  {
    id: "content-digest",
    title: "a Content-Digest, where there is one, is that of the body",
    check: Effect.fnUntraced(function* (api) {
      const { answer } = yield* fetchBundle(api)
      const digest = answer.headers["content-digest"]
      if (digest === undefined) return "there is none; with one, what is damaged on the way is noticed"
      const bundle = parsed(answer, digest)
      return Result.isSuccess(bundle) ? digest.replace(/=.*/, "") : yield* broken(bundle.failure.problem)
    })
  },
  {
    id: "version",
    title: "a version has one content, and never falls",
    check: Effect.fnUntraced(function* (api) {
      const { bundle: first } = yield* fetchBundle(api)
      for (let again = 0; again < 2; again++) {
        const { bundle: next } = yield* fetchBundle(api)
        if (next.version < first.version) return yield* broken(`version ${first.version}, then ${next.version}`)
        if (next.version === first.version && contentOf(next) !== contentOf(first)) {
          return yield* broken(`version ${first.version} has two contents`)
        }
        if (next.version > first.version) return `version ${first.version}, then ${next.version}`
      }
      return `version ${first.version} three times`
    })
  }
]
