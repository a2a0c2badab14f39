import { Base64 } from "effect/encoding"
import { MAX_DRIFT_SECONDS } from "../../domain/signing/signature.ts"

/** What the guard says of a request. */
export type GuardAnswer = "new" | "seen" | "full"

/**
 * Remembers requests by service, timestamp and signature until their timestamp has drifted too far to be taken anyway. They are kept
 * in one set per second of timestamp, at most twice the drift of them, so forgetting costs nothing per request.
 */
export class ReplayGuard {
  readonly #seconds = new Map<number, Set<string>>()
  readonly #capacity: number
  #size = 0
  #forgottenAtMs = Number.NEGATIVE_INFINITY
  /** The latest timestamp of those forgotten: a clock that is set back makes them fresh again. */
  #forgotten = Number.NEGATIVE_INFINITY

  /** @param capacity requests remembered at most; about 200 bytes each. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many are remembered. */
  get size(): number {
    return this.#size
  }

  /** Takes note of a request that is otherwise good. */
  admit(request: { serviceId: string; timestamp: number; signature: Uint8Array }, nowMs: number): GuardAnswer {
    this.#forget(nowMs)
    const key = `${request.serviceId}:${Base64.encode(request.signature)}`
    const second = this.#seconds.get(request.timestamp)
    if (second?.has(key) || request.timestamp <= this.#forgotten) return "seen"
    if (this.#size >= this.#capacity) return "full"
    if (second === undefined) this.#seconds.set(request.timestamp, new Set([key]))
    else second.add(key)
    this.#size++
    return "new"
  }

  #forget(nowMs: number): void {
    if (Math.abs(nowMs - this.#forgottenAtMs) < 1000) return
    this.#forgottenAtMs = nowMs
    for (const [timestamp, requests] of this.#seconds) {
      if (nowMs - timestamp * 1000 >= MAX_DRIFT_SECONDS * 1000) {
        this.#seconds.delete(timestamp)
        this.#forgotten = Math.max(this.#forgotten, timestamp)
        this.#size -= requests.size
      }
    }
  }
}
