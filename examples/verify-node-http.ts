import { createServer, type Server } from "node:http"
import { buffer } from "node:stream/consumers"
import { makeVerifier, type VerifierOptions } from "job-collector/verifier"

/** Node's own server: collect the body's bytes, then verify. */
export const makeServer = (options: VerifierOptions): Server => {
  const verify = makeVerifier(options)
  return createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    const { headers, method = "" } = request
    if (Number(headers["content-length"] ?? 0) > 16 * 1024 * 1024) return answer(413, {})
    const verdict = await verify({ method, headers, body: await buffer(request) })
    if (!verdict.ok) return answer(401, { error_code: verdict.reason, error_message: verdict.problem })
    const event = JSON.parse(Buffer.from(verdict.body).toString())
    return answer(200, { job_id: `job-${event.event_id}`, credits_deducted: 0 })
  })
}
