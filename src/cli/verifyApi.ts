/** `job-collector verify-api <url>`: the conformance test for API authors (contract section 1). */
import { Clock, Duration, Effect, Layer, Option, Redacted, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { SecureRandom } from "effect/crypto"
import { Hex } from "effect/encoding"
import { httpUrlProblem } from "../domain/events/validators.ts"
import * as NodeApiWire from "../layers/http/NodeApiWire.ts"
import * as Environment from "../layers/settings/Environment.ts"
import * as NativeSigner from "../layers/signing/NativeSigner.ts"
import { type Finding, verify } from "../programs/conformance/conformance.ts"
import { ApiWire } from "../services/ApiWire.ts"
import { Signer } from "../services/Signer.ts"
import { json } from "./flags.ts"
import { counted, plural, printAside, printJson, printLine } from "./output.ts"

/** Every line of it was shown. */
class RulesBroken extends Schema.TaggedError<RulesBroken>()("RulesBroken", { broken: Schema.Int }) {
  override get message(): string {
    return `${plural(this.broken, "rule")} broken`
  }
}

const lineOf = ({ ok, seen, title }: Finding): string => `${ok ? "✓" : "✗"} ${title}: ${seen}`

const secondsOf = (millis: number): string => new Date(millis).toISOString().slice(0, 19).replace(/\D/g, "")

const randomHex = Effect.fnUntraced(function* (bytes: number) {
  return Hex.encode(yield* (yield* SecureRandom.SecureRandom).randomBytes(bytes))
})

export const verifyApi = Command.make(
  "verify-api",
  {
    url: Argument.String("url").pipe(
      Argument.filterMap(
        (text) => (httpUrlProblem(text) === undefined ? Option.some(text.replace(/\/+$/, "")) : Option.none()),
        (text) => httpUrlProblem(text) ?? ""
      ),
      Argument.withDescription("The API's base URL: what API_BASE_URL would be")
    ),
    user: Flag.String("user").pipe(
      Flag.withDescription("Who is charged for the jobs: a user that the API knows, with 500,000 credits"),
      Flag.withDefault("conformance")
    ),
    model: Flag.String("model").pipe(
      Flag.withDescription("The model of the process events: one that the API knows"),
      Flag.withDefault("gpt-4o")
    ),
    json
  },
  Effect.fn("verify-api")(function* ({ json: asJson, model, url, user: userId }) {
    const { settings } = yield* Environment.load(
      Environment.all({
        apiClient: Environment.apiClient,
        requests: Environment.requests,
        signing: Environment.signing
      })
    )
    const { apiTimeout, serviceId } = settings.requests
    const { proxyUrl, ...client } = settings.apiClient
    if (proxyUrl !== undefined) yield* printAside("warning: API_PROXY_URL is not used: this command connects directly")
    const ownKey = NativeSigner.layer(settings.signing.privateKey, { publicKey: settings.signing.publicKey })
    const strangersKey = NativeSigner.layer(Redacted.make(yield* randomHex(32)))
    const prefix = `verify-api-${secondsOf(yield* Clock.currentTimeMillis)}-${yield* randomHex(3)}-`
    yield* printAside(`Jobs are made for the user ${userId}; the ids of their events begin with ${prefix}`)

    const { created, findings } = yield* Effect.gen(function* () {
      return yield* verify(
        {
          wire: yield* ApiWire,
          signer: yield* Signer,
          stranger: yield* Effect.provide(Signer, strangersKey),
          serviceId,
          userId,
          model,
          prefix,
          slowness: Duration.millis(300)
        },
        (finding) => (asJson ? Effect.void : printLine(lineOf(finding)))
      )
    }).pipe(Effect.provide(Layer.merge(ownKey, NodeApiWire.layer({ ...client, baseUrl: url, timeout: apiTimeout }))))

    const broken = findings.filter(({ ok }) => !ok).length
    if (asJson) yield* printJson({ ok: broken === 0, url, rules: findings, created }, 2)
    else {
      const { credits_deducted, jobs } = created
      yield* printAside(`${plural(jobs, "job")} made, ${counted(credits_deducted)} credits deducted from ${userId}`)
    }
    if (broken > 0) return yield* new RulesBroken({ broken })
  }, Effect.provide(SecureRandom.layerWebCrypto))
)
