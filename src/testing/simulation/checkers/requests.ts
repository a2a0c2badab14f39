/** Every request: signed just now, always the same for an event, charged once and rightly. */
import { Result } from "effect"
import * as SimulatedSigner from "../../SimulatedSigner.ts"
import type { SimulatedRequest } from "../../world/http.ts"
import { jsonOf } from "../facts.ts"
import { type Checker, isUndisturbed, type Scene } from "./checker.ts"

const maxAgeMs = 300_000

const signedAt = ({ body, headers }: SimulatedRequest): Result.Result<number, string> =>
  SimulatedSigner.verify({ authorization: headers.authorization, serviceId: headers["x-service-id"], body })

export const requests = ({ api, facts, report, scenario, world }: Scene): Checker => {
  const open = new Map<string, number>()
  const undisturbed = isUndisturbed(scenario)

  return {
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      if (eventId === undefined) return
      const signed = signedAt(request)
      if (Result.isFailure(signed)) report("signature", `${eventId}: ${signed.failure}`)
      else if (Math.abs(process.now - signed.success * 1_000) > 2_000) {
        report("signature", `${eventId}: signed ${process.now - signed.success * 1_000} ms before it was sent`)
      }
      const fact = facts.ofEvent(eventId)
      if (fact === undefined) return report("unexpected", `a request for ${eventId}, which nobody made`)
      const { entryId, stream } = fact.produced
      const body: unknown = JSON.parse(request.text)
      const { event_id: claimed, source } = body as { event_id?: unknown; source?: { stream?: unknown; id?: unknown } }
      if (claimed !== eventId) report("idempotency-key", `${eventId}: the body says ${claimed}`)
      if (source?.stream !== stream || source.id !== entryId) report("source", `${eventId}: ${JSON.stringify(source)}`)
      if (fact.body !== undefined && fact.body !== request.text) report("body-changed", eventId)
      fact.body ??= request.text
      if (undisturbed && fact.successes > 0) report("needless", `${eventId} was sent again after its success`)
      const already = open.get(eventId) ?? 0
      if (undisturbed && already > 0) report("needless", `${eventId} is sent twice at a time`)
      open.set(eventId, already + 1)
    },
    onEnd: ({ request }) => {
      const eventId = request.headers["idempotency-key"] ?? ""
      open.set(eventId, (open.get(eventId) ?? 1) - 1)
    },
    onArrival: ({ request }) => {
      const signed = signedAt(request)
      if (Result.isSuccess(signed) && world.now - signed.success * 1_000 >= maxAgeMs) {
        report("signature-age", `${request.headers["idempotency-key"]}: ${world.now - signed.success * 1_000} ms old`)
      }
    },
    atEnd: () => {
      for (const problem of api.unauthorized) report("unauthorized", problem)
      for (const { produced } of facts.all) {
        const job = api.jobs.get(produced.eventId)
        if (job === undefined) continue
        const flat = jsonOf(produced.fields, "data")
        const at = produced.fields.indexOf("audio_seconds")
        const text = at >= 0 ? produced.fields[at + 1] : flat.audio_seconds
        const seconds = text === undefined ? 0 : Number(text)
        const expected = Math.max(1, Math.floor(seconds * 5.555556 + 0.5))
        if (job.credits !== expected) report("credits", `${produced.eventId}: ${job.credits} for ${seconds} s`)
      }
    }
  }
}
