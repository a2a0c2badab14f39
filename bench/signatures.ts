/** What each signature scheme costs a request, and the verifier beside `node:crypto`'s bare `verify`; all in one process. */
import { createPublicKey, hash, verify } from "node:crypto"
import { Context, Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { spkiOf } from "../src/domain/signing/publicKey.ts"
import type { SignatureScheme } from "../src/domain/signing/signatureSchemes.ts"
import * as JobsApiLayer from "../src/layers/jobsApi/JobsApi.ts"
import * as NativeSigner from "../src/layers/signing/NativeSigner.ts"
import { native } from "../src/layers/signing/native.ts"
import { JobsApi } from "../src/services/JobsApi.ts"
import { makeVerifier, type SignedRequest, webCrypto } from "../src/verifier/index.ts"

/** How much is done at a time: enough to keep WebCrypto's threads busy. */
const atATime = 64
/** How much is done before the next one's turn: little, so that all share the machine's better and worse moments. */
const inATurn = 1_024
const rounds = 15

interface Contestant {
  readonly name: string
  /** Does one. */
  readonly once: () => Promise<unknown> | unknown
}

const url = "https://api.example.com"
const serviceId = "job-collector"
const body = new TextEncoder().encode(JSON.stringify({ event_id: "evt-1", attributes: { text: "x".repeat(400) } }))
const success = JSON.stringify({ job_id: "j-1", credits_deducted: 58 })

/** Delivers one body, to a client that answers at once: the last request that it saw. */
const delivering = async (schemes: ReadonlyArray<SignatureScheme>, privateKey: string) => {
  let request: SignedRequest = { method: "", headers: {}, body }
  let authorization = ""
  const client = HttpClient.make((sent) => {
    const { headers, method } = sent
    request = { method, headers, body, url: sent.url }
    authorization = headers.authorization ?? ""
    return Effect.succeed(HttpClientResponse.fromWeb(sent, new Response(success)))
  })
  const layer = JobsApiLayer.layer({ baseUrl: url, serviceId, signatureSchemes: schemes, timeout: "10 seconds" }).pipe(
    Layer.provide([Layer.succeed(HttpClient.HttpClient, client), NativeSigner.layer(Redacted.make(privateKey))])
  )
  const api = Context.get(await Effect.runPromise(Effect.scoped(Layer.build(layer))), JobsApi)
  const delivery = { path: "/api/jobs/add", body, idempotencyKey: "evt-1", attempt: 1 }
  const once = () => Effect.runPromise(api.deliver(delivery))
  await once()
  return { once, request, authorization }
}

const cpuMicros = ({ system, user }: NodeJS.CpuUsage) => system + user

/** Microseconds of CPU and of time that one takes, `atATime` under way. */
const measure = async ({ once }: Contestant) => {
  const before = process.cpuUsage()
  const began = performance.now()
  for (let done = 0; done < inATurn; done += atATime) await Promise.all(Array.from({ length: atATime }, once))
  const micros = (performance.now() - began) * 1_000
  return { cpu: cpuMicros(process.cpuUsage(before)) / inATurn, time: micros / inATurn }
}

/** Measures all in turn, round by round, and prints the least of each beside the first's: what others do on the machine only adds. */
const compare = async (title: string, contestants: ReadonlyArray<Contestant>) => {
  const seen = contestants.map(() => [] as Array<{ readonly cpu: number; readonly time: number }>)
  for (let round = 0; round <= rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const one = await measure(contestant)
      // The first round warms up.
      if (round > 0) seen[i]?.push(one)
    }
  }
  const rows = contestants.map(({ name }, i) => {
    const ones = seen[i] ?? []
    return { name, cpu: Math.min(...ones.map(({ cpu }) => cpu)), time: Math.min(...ones.map(({ time }) => time)) }
  })
  const [base] = rows
  const cells = (...texts: ReadonlyArray<string>) => texts.map((text) => text.padStart(12)).join("")
  console.log(`\n${title.padEnd(44)}${cells("CPU, µs", "ratio", "time, µs", "ratio", "a second")}`)
  for (const { cpu, name, time } of rows) {
    const ratio = (one: number, of = one) => (one / of).toFixed(2)
    const rate = (1_000_000 / time).toFixed(0)
    console.log(
      name.padEnd(44) + cells(cpu.toFixed(1), ratio(cpu, base?.cpu), time.toFixed(1), ratio(time, base?.time), rate)
    )
  }
}

/** Runs and prints both comparisons. */
export const measureSignatures = async (privateKey: string): Promise<void> => {
  const v1 = await delivering(["v1"], privateKey)
  const rfc9421 = await delivering(["v1", "rfc9421"], privateKey)
  const webhooks = await delivering(["v1", "standard-webhooks"], privateKey)
  const all = await delivering(["v1", "rfc9421", "standard-webhooks"], privateKey)
  await compare("A delivery without network, signed by", [
    { name: "v1", once: v1.once },
    { name: "v1 and rfc9421", once: rfc9421.once },
    { name: "v1 and standard-webhooks", once: webhooks.once },
    { name: "all three", once: all.once }
  ])

  const { publicKey } = native.signer(Buffer.from(privateKey, "hex"))
  const key = createPublicKey({ key: Buffer.from(spkiOf(publicKey)), format: "der", type: "spki" })
  const { authorization, request } = all
  const [, timestamp = "", signature = ""] = /^Ed25519 (\d+):(.*)$/.exec(authorization) ?? []
  const bare = () => {
    const message = Buffer.from(`v1\n${timestamp}\n${hash("sha256", body, "hex")}\n${serviceId}`)
    if (!verify(null, message, key, Buffer.from(signature, "base64"))) throw new Error("node:crypto refuses")
  }
  const bareAsync = () =>
    new Promise<void>((resolve, reject) => {
      const message = Buffer.from(`v1\n${timestamp}\n${hash("sha256", body, "hex")}\n${serviceId}`)
      verify(null, message, key, Buffer.from(signature, "base64"), (error, ok) => (ok ? resolve() : reject(error)))
    })
  const services = { [serviceId]: [publicKey] }
  const verifying = (scheme: SignatureScheme, primitives = webCrypto) => {
    const judge = makeVerifier({ services, scheme, primitives })
    return async () => {
      const verdict = await judge(request, Number(timestamp) * 1_000)
      if (!verdict.ok) throw new Error(verdict.problem)
    }
  }
  await compare("A request verified by", [
    { name: "node:crypto's hash and verify, bare", once: bare },
    { name: "the same with a callback", once: bareAsync },
    { name: "job-collector/verifier, v1", once: verifying("v1") },
    { name: "job-collector/verifier, rfc9421", once: verifying("rfc9421") },
    { name: "job-collector/verifier, standard-webhooks", once: verifying("standard-webhooks") },
    { name: "its checks on node:crypto (RequestVerifier)", once: verifying("v1", native) }
  ])
}
