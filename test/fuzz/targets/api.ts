/** What an API answers: heads and bodies as they come over a connection, and the values of headers. */
import { once } from "node:events"
import { type AddressInfo, createServer, type Server } from "node:net"
import { Cause, Effect, Exit, Layer, ManagedRuntime, Redacted, Result } from "effect"
import { attemptResult } from "../../../src/domain/delivery/answer.ts"
import type { AttemptResult } from "../../../src/domain/delivery/attempt.ts"
import { traceparentOf } from "../../../src/domain/events/eventKind.ts"
import * as LeanHttpClient from "../../../src/layers/http/LeanHttpClient.ts"
import * as JobsApiLayer from "../../../src/layers/jobsApi/JobsApi.ts"
import { retryAfterMs } from "../../../src/layers/jobsApi/retryAfter.ts"
import * as NativeSigner from "../../../src/layers/signing/NativeSigner.ts"
import { parseBundleResponse } from "../../../src/programs/gatewayConfig/parseBundleResponse.ts"
import { JobsApi } from "../../../src/services/JobsApi.ts"
import { makeVerifier } from "../../../src/verifier/index.ts"
import { rfc8032 } from "../../support/vectors.ts"
import { bytesOf, mustBePlain, mustHold, shapeOf, type Target } from "../target.ts"

const accepted = '{"job_id":"job-1","credits_deducted":58}'
const refusedBody = '{"error_code":"E_DB","error_message":"the database is away"}'

const judged = (result: AttemptResult): string => {
  if (result._tag === "Accepted") {
    mustHold(result.jobId !== undefined && result.jobId.length <= 128, "the job id is too long")
    const { creditsDeducted } = result
    mustHold(creditsDeducted === undefined || Number.isFinite(creditsDeducted), "credits are not finite")
    return `accepted ${creditsDeducted === undefined}`
  }
  mustBePlain(result.errorMessage, "the error's message")
  mustHold(result.errorMessage.length <= 1_024 && result.errorMessage.isWellFormed(), "the error's message is too long")
  return `${result.errorCode} ${shapeOf(result.errorMessage).slice(0, 30)}`
}

export const answers: Target = {
  name: "answers",
  seeds: [
    ["200", accepted, ""],
    ["500", refusedBody, "120"],
    ["409", '{"job_id":7}', ""],
    ["200", '{"job_id":1,"credits_deducted":1.7e308}', ""]
  ],
  words: ["job_id", "credits_deducted", "1.7e308", `Ed25519 1:${"A".repeat(86)}==`, "200", "409"],
  attempt: ([status = "200", body = "", wait = ""]) => {
    const retryAfter = retryAfterMs(wait, Date.UTC(2026, 0, 1))
    mustHold(retryAfter === undefined || (retryAfter >= 0 && retryAfter <= 300_000), "a wait is out of bounds")
    const code = /^[1-5]\d\d$/.test(status) ? Number(status) : 200
    return judged(attemptResult({ status: code, body, retryAfterMs: retryAfter }))
  }
}

const services = { "job-collector": [rfc8032[0]!.publicKey] }
const verifiers = (["v1", "rfc9421", "standard-webhooks"] as const).map((scheme) =>
  makeVerifier({ services, replayGuard: { capacity: 100 }, scheme })
)
const nowMs = 1_700_000_000_000
const signature = `${"A".repeat(86)}==`
const components = '("@method" "@target-uri" "content-digest" "idempotency-key" "x-service-id")'

export const headers: Target = {
  name: "headers",
  seeds: [
    ["authorization", `Ed25519 1700000000:${signature}`, "x-service-id", "job-collector", "retry-after", "120"],
    ["content-digest", "sha-256=:AAAA:", "retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"],
    ["traceparent", `00-${"a".repeat(32)}-${"b".repeat(16)}-01`, "retry-after", "Sunday, 06-Nov-94 08:49:37 GMT"],
    [
      ...["x-service-id", "job-collector", "content-digest", "sha-256=:AAAA:", "idempotency-key", "e-1"],
      ...["signature", `sig=:${signature}:`],
      ...["signature-input", `sig=${components};created=1700000000;keyid="0123456789abcdef";alg="ed25519"`]
    ],
    [
      ...["x-service-id", "job-collector", "webhook-id", "e-1", "webhook-timestamp", "1700000000"],
      ...["webhook-signature", `v1a,${signature} v1,AAAA`]
    ]
  ],
  words: ["Ed25519 ", "1700000000", "sha-256=:", "sha-512=", "GMT", "00-", "Wed, ", "9999999999999999", "v1a,", "sig="],
  attempt: async (input) => {
    const values: Record<string, string> = Object.create(null)
    for (let i = 0; i + 1 < input.length; i += 2) values[input[i] ?? ""] = input[i + 1] ?? ""
    const url = values["x-url"] ?? "https://api.example/api/jobs/add"
    const request = { method: "POST", headers: values, body: bytesOf(input[1] ?? ""), url }
    const verdicts = await Promise.all(verifiers.map((verify) => verify(request, nowMs)))
    for (const verdict of verdicts) {
      mustHold(!verdict.ok, "nobody has signed this")
      if (!verdict.ok) mustBePlain(verdict.problem, "a refusal")
    }
    const retryAfter = retryAfterMs(values["retry-after"], nowMs)
    mustHold(retryAfter === undefined || (retryAfter >= 0 && retryAfter <= 300_000), "a wait is out of bounds")
    const parent = traceparentOf({ form: "flat", values })
    mustHold(parent === undefined || /^[0-9a-f-]{55}$/.test(parent), "a traceparent is passed on that is none")
    const contentDigest = values["content-digest"]
    const digested = parseBundleResponse({ _tag: "Fetched", body: request.body, etag: undefined, contentDigest })
    const problem = Result.isFailure(digested) ? digested.failure.problem : "a bundle"
    const reasons = verdicts.map((verdict) => (verdict.ok ? "" : verdict.problem)).join()
    return `${reasons} ${retryAfter === undefined} ${parent === undefined} ${shapeOf(problem)}`
  }
}

/** A server that answers everything with the same bytes, and closes. */
class OneAnswer {
  answer: Buffer = Buffer.alloc(0)
  readonly server: Server

  constructor() {
    this.server = createServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", () => socket.end(this.answer))
    })
  }

  async listen(): Promise<string> {
    this.server.listen(0, "127.0.0.1")
    await once(this.server, "listening")
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }
}

const connect = async () => {
  const one = new OneAnswer()
  const baseUrl = await one.listen()
  const api = JobsApiLayer.layer({ baseUrl, serviceId: "job-collector", timeout: "5 seconds" })
  const signer = NativeSigner.layer(Redacted.make(rfc8032[0]!.secretKey))
  const runtime = ManagedRuntime.make(Layer.provide(api, [LeanHttpClient.layer(), signer]))
  return { one, runtime }
}
let connected: ReturnType<typeof connect> | undefined

export const closeHttp = async (): Promise<void> => {
  const open = await connected
  connected = undefined
  await open?.runtime.dispose()
  open?.one.server.close()
}

const head = (status: string, body: string, more = ""): string =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n${more}content-length: ${body.length}\r\n\r\n${body}`
const delivery = {
  path: "/api/jobs/add",
  body: bytesOf("{}"),
  idempotencyKey: "e-1",
  attempt: 1,
  traceparent: undefined
}

/** Exchanges over a real connection: an answer that is not whole takes no longer than one that is. */
export const http: Target = {
  name: "http",
  brief: true,
  seeds: [
    [head("200 OK", accepted)],
    [head("503 Away", refusedBody, "retry-after: 999999999999\r\n")],
    [head("302 Found", "", "location: http://127.0.0.1:1/\r\n")],
    [`HTTP/1.1 100 Continue\r\n\r\n${head("200 OK", accepted)}`],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"job\r\n0\r\n\r\n'],
    [head("200 OK", "\x1f\x8b", "content-encoding: gzip\r\nset-cookie: a=b\r\n")]
  ],
  words: [
    "HTTP/1.1 ",
    "\r\n",
    "\r\n\r\n",
    "content-length: ",
    "transfer-encoding: chunked\r\n",
    "103 Early Hints",
    "101"
  ],
  attempt: async ([text = ""]) => {
    connected ??= connect()
    const { one, runtime } = await connected
    one.answer = bytesOf(text)
    const exit = await runtime.runPromiseExit(Effect.flatMap(JobsApi, (api) => api.deliver(delivery)))
    mustHold(Exit.isSuccess(exit), `a defect: ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""}`)
    return Exit.isSuccess(exit) ? judged(exit.value) : "defect"
  }
}
