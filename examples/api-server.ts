import { randomUUID } from "node:crypto"
import { createServer, type Server } from "node:http"
import { buffer } from "node:stream/consumers"
import { makeVerifier } from "job-collector/verifier"

interface Event {
  readonly event_id: string
  readonly event_type: "transcribe" | "process"
  readonly audio_seconds?: number
}

/** An API that takes the collector's requests: who asks is verified, and each event becomes one job, however often it comes. */
export const makeApi = (collectorPublicKey: string): Server => {
  const verify = makeVerifier({ services: { "job-collector": [collectorPublicKey] } })
  // In a database: a table whose unique key is the event's id.
  const jobs = new Map<string, string>()

  return createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    const refuse = (status: number, code: string, message: string) =>
      answer(status, { error_code: code, error_message: message })

    const { headers, method = "", url } = request
    if (method !== "POST" || url !== "/api/jobs/add")
      return refuse(404, "NOT_FOUND", "there is only POST /api/jobs/add")
    if (Number(headers["content-length"] ?? 0) > 16 * 1024 * 1024) return refuse(413, "TOO_LARGE", "at most 16 MiB")

    // The bytes that were signed, before anything parses them.
    const verdict = await verify({ method, headers, body: await buffer(request) })
    if (!verdict.ok) return refuse(401, verdict.reason, verdict.problem)

    // What is signed is the body; the header only has to agree with it.
    const event: Event = JSON.parse(Buffer.from(verdict.body).toString())
    if (headers["idempotency-key"] !== event.event_id)
      return refuse(400, "KEY_MISMATCH", "the key is not the event's id")

    const known = jobs.get(event.event_id)
    if (known !== undefined) return answer(409, { job_id: known })
    const job = randomUUID()
    jobs.set(event.event_id, job)
    const credits =
      event.event_type === "transcribe" ? Math.max(1, Math.floor((event.audio_seconds ?? 0) * 5.555556 + 0.5)) : 1
    return answer(200, { job_id: job, credits_deducted: credits })
  })
}
