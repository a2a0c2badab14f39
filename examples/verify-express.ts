import express, { type Express } from "express"
import { makeVerifier, type VerifierOptions } from "job-collector/verifier"

/** Express: `express.raw` keeps the bytes that were signed; a JSON parser before the verifier would throw them away. */
export const makeApp = (options: VerifierOptions): Express => {
  const verify = makeVerifier(options)
  const app = express()
  const raw = express.raw({ type: () => true, inflate: false, limit: "16mb" })
  app.post("/api/jobs/add", raw, async ({ body = new Uint8Array(), headers, method }, response) => {
    const verdict = await verify({ method, headers, body })
    if (!verdict.ok) {
      response.status(401).json({ error_code: verdict.reason, error_message: verdict.problem })
      return
    }
    const event = JSON.parse(Buffer.from(verdict.body).toString())
    response.json({ job_id: `job-${event.event_id}`, credits_deducted: 0 })
  })
  return app
}
