/** The jobs API of a simulation: verifies, deduplicates by the body's event id, charges once, remembers. */
import { Result } from "effect"
import * as SimulatedSigner from "../SimulatedSigner.ts"
import type { Host, SimulatedRequest, SimulatedResponse } from "../world/http.ts"
import { Configurations } from "./configurations.ts"
import { hostileAnswer, hostileSuccess } from "./hostile.ts"
import type { Trouble } from "./scenario.ts"

/** What the API did for one event. */
export interface Job {
  readonly jobId: number
  readonly eventId: string
  readonly credits: number
  readonly body: string
  /** Requests for it, the first included. */
  requests: number
}

/** What the API does with an event however often it comes: a status, or undefined for its work. */
export type Temper = (eventId: string) => number | undefined

const maxDriftMs = 300_000
/** How long a request hangs that does: longer than anybody waits. */
const hangsMs = 60_000
/** How much longer one takes that is slow, on average. */
const slowMs = 1_500

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

const parse = (text: string): Readonly<Record<string, unknown>> => {
  try {
    return record(JSON.parse(text))
  } catch {
    return {}
  }
}

const refusal = (status: number, code: string, message: string): SimulatedResponse => ({
  status,
  body: { error_code: code, error_message: message }
})

/** The jobs API of contract section 4 in memory: a `host` for a world, and what it has done so far. */
export class SimulatedJobsApi {
  /** What it did, by the event, as far as it was not told to forget. */
  readonly jobs = new Map<string, Job>()
  private serial = 0
  readonly configurations = new Configurations()
  /** Requests refused for their signature, by the reason. */
  readonly unauthorized: Array<string> = []
  private readonly temper: Temper
  private readonly meanMs: number
  private readonly hostile: boolean
  private readonly trouble: ((values: Readonly<Record<string, unknown>>) => Trouble | undefined) | undefined

  /**
   * `meanMs`: how long an answer takes on average; `hostile`: whether one of some is as bad as it can be; `trouble`: what is
   * the matter with an event's partitions.
   */
  constructor(
    temper: Temper,
    meanMs: number,
    hostile = false,
    trouble?: (values: Readonly<Record<string, unknown>>) => Trouble | undefined
  ) {
    this.temper = temper
    this.trouble = trouble
    this.meanMs = meanMs
    this.hostile = hostile
  }

  readonly host: Host = (request, { chance, now }) => {
    const meant = chance.exponential(this.meanMs)
    const trouble = this.trouble === undefined ? undefined : this.trouble(parse(request.text))
    const strikes = trouble !== undefined && request.method === "POST" && chance.yes(trouble.share)
    if (strikes && trouble.manner === "hangs") return { status: 504, afterMs: hangsMs }
    if (strikes && trouble.manner === "fails") return { ...refusal(trouble.status, "TROUBLE", ""), afterMs: meant }
    const afterMs = strikes ? meant + chance.exponential(slowMs) : meant
    if (!this.hostile || request.method === "GET" || chance.yes(0.9))
      return { ...this.answer(request, now, chance.yes(0.3)), afterMs }
    if (chance.yes(0.7)) return { afterMs, ...hostileAnswer(chance) }
    const answer = this.answer(request, now, false)
    return answer.status === 200 ? { ...answer, body: hostileSuccess(chance), afterMs } : { ...answer, afterMs }
  }

  /** Forgets an event, as an API does once its key cannot come again. */
  forget(eventId: string): void {
    this.jobs.delete(eventId)
  }

  private answer(request: SimulatedRequest, now: number, brief: boolean): SimulatedResponse {
    const { authorization, "idempotency-key": key, "x-service-id": serviceId } = request.headers
    const signed = SimulatedSigner.verify({ authorization, serviceId, body: request.body })
    if (Result.isFailure(signed)) return this.unauthorize(signed.failure)
    if (Math.abs(now - signed.success * 1_000) >= maxDriftMs) return this.unauthorize("the timestamp is too far off")
    if (request.method === "GET" && request.path === "/api/models/configurations") {
      return this.configurations.answer(request.headers["if-none-match"])
    }
    if (request.path !== "/api/jobs/add") return refusal(404, "NOT_FOUND", request.path)
    const body = parse(request.text)
    const eventId = String(body.event_id)
    if (key !== eventId) return refusal(400, "KEY", "the Idempotency-Key is not the event's id")
    const status = this.temper(eventId)
    if (status !== undefined) return refusal(status, "TEMPER", "as this event always is")
    return this.accept(eventId, body, request.text, brief)
  }

  private unauthorize(problem: string): SimulatedResponse {
    this.unauthorized.push(problem)
    return refusal(401, "UNAUTHORIZED", problem)
  }

  private accept(
    eventId: string,
    body: Readonly<Record<string, unknown>>,
    text: string,
    brief: boolean
  ): SimulatedResponse {
    const known = this.jobs.get(eventId)
    if (known !== undefined) {
      known.requests += 1
      const { credits, jobId } = known
      return brief
        ? { status: 409, body: { job_id: jobId } }
        : { status: 200, body: { job_id: jobId, credits_deducted: credits } }
    }
    const seconds = typeof body.audio_seconds === "number" ? body.audio_seconds : 0
    const credits = Math.max(1, Math.trunc(seconds * 5.555556 + 0.5))
    const job: Job = { jobId: ++this.serial, eventId, credits, body: text, requests: 1 }
    this.jobs.set(eventId, job)
    return { status: 200, body: { job_id: job.jobId, credits_deducted: credits } }
  }
}
