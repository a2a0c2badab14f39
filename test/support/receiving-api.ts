import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto"
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type Server } from "node:http"
import { freePort } from "./redis-server.ts"

export interface ReceivedRequest {
  readonly eventId: string
  readonly attempt: number
  readonly at: number
  readonly headers: IncomingHttpHeaders
  readonly body: Record<string, unknown>
  readonly verified: boolean
}

export interface Answer {
  readonly status: number
  readonly body?: unknown
  readonly headers?: Record<string, string>
  /** Milliseconds before the answer. */
  readonly delay?: number
  /** Answered when this has come true, instead. */
  readonly after?: Promise<unknown>
  /** Cuts the connection instead of answering. */
  readonly reset?: boolean
  /** Charges all the same, as an API does whose answer is lost on the way. */
  readonly charge?: boolean
}

const spki = (raw: Uint8Array): KeyObject =>
  createPublicKey({
    key: Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]),
    format: "der",
    type: "spki"
  })

/** `max(1, floor(seconds × 5.555556 + 0.5))`, written again here so that the test does not trust the code under test. */
const credits = (seconds: unknown): number =>
  typeof seconds === "number" ? Math.max(1, Math.floor(seconds * 5.555556 + 0.5)) : 1

/**
 * A receiving API on a real port: checks each signature with node:crypto, keeps a ledger and deduplicates by
 * `Idempotency-Key`.
 */
export class ReceivingApi {
  readonly requests: Array<ReceivedRequest> = []
  /** Charges by the signed body's event id: each must end at 1. A known `Idempotency-Key` is not charged again. */
  readonly charges = new Map<string, number>()
  /** Requests for the configurations, which health makes while nothing else is asked; not among `requests`. */
  readonly polls: Array<{ readonly verified: boolean }> = []
  /** What to answer those. */
  answerPoll: () => Answer = () => ({ status: 200 })
  /** The attempt numbers of each event, in the order they came. */
  readonly attempts = new Map<string, Array<number>>()
  private readonly keys = new Set<string>()
  /** What to answer instead of success; undefined for success. */
  answer: (request: ReceivedRequest) => Answer | undefined = () => undefined
  /** Whether to keep whole requests (a long run keeps only the ledger). */
  keep = true
  verifiedCount = 0
  unverifiedCount = 0
  private readonly server: Server
  private trusted: ReadonlyArray<KeyObject>
  private readonly port: number

  private constructor(publicKey: Uint8Array, port: number) {
    this.trusted = [spki(publicKey)]
    this.port = port
    this.server = createServer((request, response) => {
      const chunks: Array<Buffer> = []
      request.on("data", (chunk: Buffer) => chunks.push(chunk))
      request.on("end", () => {
        const bytes = Buffer.concat(chunks)
        const answer = request.method === "GET" ? this.poll(request.headers) : this.post(request.headers, bytes)
        if (answer.reset) return void request.socket.destroy()
        const send = () => {
          response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers })
          response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? {}))
        }
        if (answer.after !== undefined) void answer.after.then(send)
        else if (answer.delay === undefined) send()
        else setTimeout(send, answer.delay)
      })
    })
  }

  static async start(publicKey: Uint8Array): Promise<ReceivingApi> {
    const api = new ReceivingApi(publicKey, await freePort())
    await api.listen()
    return api
  }

  /** Takes signatures of these keys from now on. */
  trust(...publicKeys: ReadonlyArray<Uint8Array>): void {
    this.trusted = publicKeys.map(spki)
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async listen(): Promise<void> {
    await once(this.server.listen(this.port, "127.0.0.1"), "listening")
  }

  /** Refuses connections until `listen` is called again; the ledger stays. */
  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private verify(headers: IncomingHttpHeaders, bytes: Buffer): boolean {
    const [, timestamp = "", signature = ""] = /^Ed25519 (\d+):(.+)$/.exec(headers.authorization ?? "") ?? []
    const hash = createHash("sha256").update(bytes).digest("hex")
    const message = Buffer.from(`v1\n${timestamp}\n${hash}\n${headers["x-service-id"]}`)
    return this.trusted.some((key) => verify(null, message, key, Buffer.from(signature, "base64")))
  }

  private poll(headers: IncomingHttpHeaders): Answer {
    this.polls.push({ verified: this.verify(headers, Buffer.alloc(0)) })
    return this.answerPoll()
  }

  private post(headers: IncomingHttpHeaders, bytes: Buffer): Answer {
    const received = this.receive(headers, bytes)
    const told = this.answer(received)
    if (told?.charge) this.succeed(received)
    return told ?? this.succeed(received)
  }

  private receive(headers: IncomingHttpHeaders, bytes: Buffer): ReceivedRequest {
    const verified = this.verify(headers, bytes)
    if (verified) this.verifiedCount += 1
    else this.unverifiedCount += 1
    const body: Record<string, unknown> = bytes.length === 0 ? {} : JSON.parse(bytes.toString("utf8"))
    const received = {
      eventId: String(headers["idempotency-key"]),
      attempt: Number(headers["x-delivery-attempt"]),
      at: Date.now(),
      headers,
      body,
      verified
    }
    if (this.keep) this.requests.push(received)
    const attempts = this.attempts.get(received.eventId)
    if (attempts === undefined) this.attempts.set(received.eventId, [received.attempt])
    else attempts.push(received.attempt)
    return received
  }

  private succeed(request: ReceivedRequest): Answer {
    if (!request.verified) return { status: 401, body: { error_code: "BAD_SIGNATURE", error_message: "no" } }
    if (!this.keys.has(request.eventId)) {
      this.keys.add(request.eventId)
      const charged = String(request.body.event_id)
      this.charges.set(charged, (this.charges.get(charged) ?? 0) + 1)
    }
    return {
      status: 200,
      body: { job_id: `job-${request.eventId}`, credits_deducted: credits(request.body.audio_seconds) }
    }
  }
}
