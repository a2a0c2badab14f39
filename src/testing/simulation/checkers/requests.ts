/** Every request: signed just now, always the same for an event, charged once and rightly. */
import { keyId } from "../../SimulatedSigner.ts"
import type { SimulatedRequest } from "../../world/http.ts"
import { jsonOf } from "../eventRecords.ts"
import { type Checker, isUndisturbed, type Scene } from "./checker.ts"

const maxAgeMs = 300_000
/** Statuses that an event is given up for at once; written out here, not taken from the code. */
const rejections = [400, 413, 422]

/** The time that a request says it was signed at, in Unix seconds; whether the signature is right the API tells. */
const signedAt = ({ headers }: SimulatedRequest): number =>
  Number(/^Ed25519 (\d+):/.exec(headers.authorization ?? "")?.[1] ?? Number.NaN)

const eventIn = (text: string): { readonly event_id?: unknown; readonly source?: unknown } => {
  const value: unknown = JSON.parse(text)
  return typeof value === "object" && value !== null ? value : {}
}

export const requests = ({ api, records, report, scenario, world }: Scene): Checker => {
  /** Requests of each event that are under way; those of a process that was killed never end. */
  const open = new Map<string, number>()
  const undisturbed = isUndisturbed(scenario)

  return {
    onSent: ({ process, request }) => {
      const eventId = request.headers["idempotency-key"]
      if (eventId === undefined) return
      const age = process.now - signedAt(request) * 1_000
      if (!(Math.abs(age) <= 2_000)) report("signature", `${eventId}: signed ${age} ms before it was sent`)
      if (request.headers["x-key-id"] !== keyId) report("key-id", `${eventId}: ${request.headers["x-key-id"]}`)
      const record = records.ofEvent(eventId)
      const round = records.ofRequest(request)
      if (record === undefined || round?.body !== request.text) {
        const { event_id: claimed, source } = eventIn(request.text)
        if (claimed !== eventId) return report("idempotency-key", `${eventId}: the body says ${claimed}`)
        if (record === undefined)
          return report("unexpected", `a request for ${eventId}, which nobody made, or which was over long ago`)
        if (round === undefined)
          return report("source", `${eventId}: ${JSON.stringify(source)}, where it did not stand first`)
        if (record.rounds.some(({ body }) => body !== undefined && body !== request.text)) {
          report("body-changed", eventId)
        }
        round.body ??= request.text
      }
      const rejection = rejections.find((status) => round?.statuses.has(status))
      if (undisturbed && rejection !== undefined) report("rejected-again", `${eventId} is sent after a ${rejection}`)
      if (undisturbed && record.successes > 0) report("needless", `${eventId} was sent again after its success`)
      const already = open.get(eventId) ?? 0
      if (undisturbed && already > 0) report("needless", `${eventId} is sent twice at a time`)
      open.set(eventId, already + 1)
    },
    onEnd: ({ request }) => {
      const eventId = request.headers["idempotency-key"] ?? ""
      const left = (open.get(eventId) ?? 1) - 1
      if (left > 0) open.set(eventId, left)
      else open.delete(eventId)
    },
    onArrival: ({ request }) => {
      const age = world.now - signedAt(request) * 1_000
      if (age >= maxAgeMs) report("signature-age", `${request.headers["idempotency-key"]}: ${age} ms old`)
    },
    onLast: ({ produced }) => {
      const { eventId, fields } = produced
      open.delete(eventId)
      const job = api.jobs.get(eventId)
      if (job === undefined) return
      const at = fields.indexOf("audio_seconds")
      const text = at >= 0 ? fields[at + 1] : jsonOf(fields, "data").audio_seconds
      const seconds = text === undefined ? 0 : Number(text)
      const expected = Math.max(1, Math.floor(seconds * 5.555556 + 0.5))
      if (job.credits !== expected) report("credits", `${eventId}: ${job.credits} for ${seconds} s`)
    },
    onLook: () => {
      for (const problem of api.unauthorized.splice(0)) report("unauthorized", problem)
    }
  }
}
