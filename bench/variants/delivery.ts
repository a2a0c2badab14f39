/** The handler of the two variants without safety: the same request as the service's, made by hand. */
import { createHash, createPrivateKey, sign } from "node:crypto"
import { Agent, request } from "undici"
import type { VariantConfig } from "../protocol.ts"

const PKCS8_ED25519 = "302e020100300506032b657004220420"
const KNOWN = new Set([
  "event_id",
  "user_id",
  "device_id",
  "session_id",
  "started_at",
  "completed_at",
  "audio_seconds",
  "model",
  "metadata"
])

const bodyOf = (fields: Readonly<Record<string, string>>, stream: string, id: string): string => {
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields)) if (!KNOWN.has(name)) attributes[name] = value
  return JSON.stringify({
    event_id: fields.event_id,
    event_type: "transcribe",
    source: { stream, id },
    user_id: fields.user_id,
    device_id: fields.device_id,
    session_id: fields.session_id,
    started_at: fields.started_at,
    completed_at: fields.completed_at,
    audio_seconds: Number(fields.audio_seconds),
    model: fields.model,
    metadata: JSON.parse(fields.metadata ?? "{}"),
    attributes
  })
}

export const makeDeliver = (config: VariantConfig) => {
  const key = createPrivateKey({
    key: Buffer.from(PKCS8_ED25519 + config.privateKey, "hex"),
    format: "der",
    type: "pkcs8"
  })
  const dispatcher = new Agent({ connections: config.concurrency, pipelining: 1 })
  const url = `${config.apiUrl}/api/jobs/add`

  return async (fields: Readonly<Record<string, string>>, id: string): Promise<void> => {
    const body = Buffer.from(bodyOf(fields, config.stream, id))
    const timestamp = Math.floor(Date.now() / 1_000)
    const digest = createHash("sha256").update(body).digest("hex")
    const signature = sign(null, Buffer.from(`v1\n${timestamp}\n${digest}\njob-collector`), key).toString("base64")
    const response = await request(url, {
      dispatcher,
      method: "POST",
      headers: {
        authorization: `Ed25519 ${timestamp}:${signature}`,
        "content-type": "application/json",
        "x-service-id": "job-collector",
        "idempotency-key": fields.event_id ?? "",
        "x-delivery-attempt": "1"
      },
      body
    })
    const answer = (await response.body.json()) as { job_id?: unknown; credits_deducted?: unknown }
    if (response.statusCode !== 200 || answer.job_id === undefined) throw new Error(`status ${response.statusCode}`)
  }
}
