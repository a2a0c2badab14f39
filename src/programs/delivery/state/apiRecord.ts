import { Effect } from "effect"
import type { AttemptResult } from "../../../domain/delivery/attempt.ts"
import { Durations } from "../../../domain/delivery/durations.ts"
import type { JobsApi } from "../../../services/JobsApi.ts"
import { monotonicMillis } from "../../redis/monotonic.ts"

interface Window {
  since: number
  succeeded: number
  failed: number
  /** Of deliveries. */
  readonly durations: Durations
}

const emptyWindow = (since: number): Window => ({ since, succeeded: 0, failed: 0, durations: new Durations() })

/** The last failure of a request to the API. */
export interface ApiFailure {
  readonly code: string
  readonly message: string
  readonly at: number
}

/** What came of the latest requests to the API: two windows, the present one and the one before. */
export class ApiRecord {
  private readonly windowMs: number
  private before = emptyWindow(0)
  private present = emptyWindow(0)
  private heardAt: number | undefined
  /** Deliveries under way. */
  inFlight = 0
  lastSuccessAt: number | undefined
  lastFailure: ApiFailure | undefined

  constructor(windowMs: number) {
    this.windowMs = windowMs
  }

  private turn(now: number): void {
    if (now < this.present.since + this.windowMs) return
    this.before = now < this.present.since + 2 * this.windowMs ? this.present : emptyWindow(now - this.windowMs)
    this.present = emptyWindow(now)
  }

  succeeded(now: number): void {
    this.turn(now)
    this.present.succeeded += 1
    this.heardAt = now
    this.lastSuccessAt = now
  }

  failed(code: string, message: string, now: number): void {
    this.turn(now)
    this.present.failed += 1
    this.heardAt = now
    this.lastFailure = { code, message, at: now }
  }

  /** An API that refuses one request for what is in it is available. */
  note(result: AttemptResult, rejected: boolean, now: number, durationMs: number): void {
    if (result._tag === "Accepted" || rejected) this.succeeded(now)
    else this.failed(result.errorCode, result.errorMessage, now)
    this.present.durations.add(durationMs)
  }

  /** How long the deliveries of the last one to two windows took; null where there were none. */
  latencies(now: number): { readonly api_p50_ms: number | null; readonly api_p95_ms: number | null } {
    this.turn(now)
    const of = (share: number) => {
      const ms = Durations.quantile(share, this.before.durations, this.present.durations)
      return ms === undefined ? null : Math.round(ms)
    }
    return { api_p50_ms: of(0.5), api_p95_ms: of(0.95) }
  }

  /** Whether no request has ended for as long as a window lasts. */
  isIdle(now: number): boolean {
    return this.heardAt === undefined || now >= this.heardAt + this.windowMs
  }

  /** How the requests of the last one to two windows ended. */
  recent(now: number): { readonly succeeded: number; readonly failed: number } {
    this.turn(now)
    return {
      succeeded: this.before.succeeded + this.present.succeeded,
      failed: this.before.failed + this.present.failed
    }
  }

  /** The same API; what came of its configurations is noted here (of a delivery, who decides about it notes it). */
  watch(api: JobsApi["Service"]): JobsApi["Service"] {
    return {
      ...api,
      configurations: (etag) =>
        api.configurations(etag).pipe(
          Effect.tap(() => Effect.map(monotonicMillis, (now) => this.succeeded(now))),
          Effect.tapError(({ errorCode, errorMessage }) =>
            Effect.map(monotonicMillis, (now) => this.failed(errorCode, errorMessage, now))
          )
        )
    }
  }
}
