import { makeVerifier, type VerifierOptions } from "job-collector/verifier"

/**
 * A Next.js route handler: `app/api/jobs/add/route.ts` holds
 * `export const { POST } = makeRoute({ services: { "job-collector": [process.env.COLLECTOR_PUBLIC_KEY] } })`.
 */
export const makeRoute = (options: VerifierOptions): { readonly POST: (request: Request) => Promise<Response> } => {
  const verify = makeVerifier(options)
  return {
    POST: async (request) => {
      const verdict = await verify(request)
      if (!verdict.ok) {
        return Response.json({ error_code: verdict.reason, error_message: verdict.problem }, { status: 401 })
      }
      const event = JSON.parse(new TextDecoder().decode(verdict.body))
      return Response.json({ job_id: `job-${event.event_id}`, credits_deducted: 0 })
    }
  }
}
