import { Hono } from "hono"
import { makeVerifier, type VerifierOptions } from "job-collector/verifier"

/** Hono, on Node, Deno, Bun or an edge runtime: the verifier takes the `Request` as it is. */
export const makeApp = (options: VerifierOptions): Hono => {
  const verify = makeVerifier(options)
  const app = new Hono()
  app.post("/api/jobs/add", async (context) => {
    const verdict = await verify(context.req.raw)
    if (!verdict.ok) return context.json({ error_code: verdict.reason, error_message: verdict.problem }, 401)
    const event = JSON.parse(new TextDecoder().decode(verdict.body))
    return context.json({ job_id: `job-${event.event_id}`, credits_deducted: 0 })
  })
  return app
}
