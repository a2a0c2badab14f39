import { base64Of } from "./bytes.ts"
import { MAX_DRIFT_SECONDS } from "./verdict.ts"

/** What the guard says of a request. */
export type GuardAnswer = "new" | "seen" | "full"

/**
 * Remembers one service's requests by timestamp and signature until their timestamp has drifted too far to be taken anyway. They
 * are kept in one set per second of timestamp, at most twice the drift of them, so forgetting costs nothing per request.
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

  /** Takes note of a request that is otherwise good. */
  admit(timestamp: number, signature: Uint8Array, nowMs: number): GuardAnswer {
    this.#forget(nowMs)
    const key = base64Of(signature)
    const second = this.#seconds.get(timestamp)
    if (second?.has(key) || timestamp <= this.#forgotten) return "seen"
    if (this.#size >= this.#capacity) return "full"
    if (second === undefined) this.#seconds.set(timestamp, new Set([key]))
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
