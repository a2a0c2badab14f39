import Fastify, { type FastifyInstance } from "fastify"
import { makeVerifier, type VerifierOptions } from "job-collector/verifier"

/** Fastify: its own JSON parser is taken out, so that the body stays the bytes that were signed. */
export const makeApp = (options: VerifierOptions): FastifyInstance => {
  const verify = makeVerifier(options)
  const app = Fastify({ bodyLimit: 16 * 1024 * 1024 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_, body, done) => done(null, body))
  app.post<{ Body: Buffer | undefined }>("/api/jobs/add", async ({ body, headers, method }, reply) => {
    const verdict = await verify({ method, headers, body: body ?? new Uint8Array() })
    if (!verdict.ok) return reply.code(401).send({ error_code: verdict.reason, error_message: verdict.problem })
    const event = JSON.parse(Buffer.from(verdict.body).toString())
    return { job_id: `job-${event.event_id}`, credits_deducted: 0 }
  })
  return app
}
