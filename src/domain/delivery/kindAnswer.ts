/** What an answer means, as a host app's own event kind says it (contract section 9). */
import { blanked, cut } from "../text/printable.ts"
import { type Answer, creditsIn, failed, jobIdIn, jsonObject, refused } from "./answer.ts"
import type { AttemptResult } from "./attempt.ts"

/** An answer of the API as a kind's `success` is given it. */
export interface KindAnswer {
  readonly status: number
  /** By name, in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Its text, at most 1 MiB. */
  readonly body: string
}

/** What an answer comes to: made by `EventKind.accepted` or `EventKind.refused`. */
export type KindVerdict = KindAccepted | KindRefused

/** The event is delivered. */
export interface KindAccepted {
  readonly _tag: "Accepted"
  readonly jobId?: string | undefined
  readonly creditsDeducted?: number | undefined
}

/** The attempt failed. */
export interface KindRefused {
  readonly _tag: "Refused"
  readonly code: string
  readonly message: string
}

const longestJobId = 128
const longestCode = 64

/**
 * The event is delivered; job id and credits are kept where they are known.
 *
 * @example
 * ```ts
 * import { EventKind } from "job-collector"
 *
 * export const success: (answer: EventKind.KindAnswer) => EventKind.KindVerdict = ({ body, status }) =>
 *   status === 200 && JSON.parse(body).state === "booked"
 *     ? EventKind.accepted({ jobId: JSON.parse(body).booking })
 *     : EventKind.refused(`HTTP_${status}`, "the booking was not made")
 * ```
 */
export const accepted = (known: Omit<KindAccepted, "_tag"> = {}): KindAccepted => ({ _tag: "Accepted", ...known })

/** The attempt failed: its code, of at most 64 characters, and message are kept with the event. */
export const refusedWith = (code: string, message = ""): KindRefused => ({ _tag: "Refused", code, message })

const ofVerdict = (
  verdict: Partial<KindVerdict> | null | undefined,
  { retryAfterMs, status }: Answer
): AttemptResult => {
  if (verdict?._tag === "Accepted") {
    const { creditsDeducted, jobId } = verdict
    return {
      _tag: "Accepted",
      jobId: jobId === undefined || jobId === null ? undefined : cut(String(jobId), longestJobId),
      creditsDeducted: Number.isFinite(creditsDeducted) ? creditsDeducted : undefined
    }
  }
  if (verdict?._tag === "Refused") {
    const code = cut(blanked(String(verdict.code)), longestCode)
    return failed(code === "" ? `HTTP_${status}` : code, String(verdict.message), status, retryAfterMs)
  }
  return failed("BAD_RESPONSE", "the kind's success rule gives neither accepted nor refused", status, retryAfterMs)
}

/** A rule of a host app's own as the engine's; if it throws, the attempt failed. */
export const ownRule =
  (rule: (answer: KindAnswer) => KindVerdict) =>
  (answer: Answer): AttemptResult => {
    const { body, headers, status } = answer
    try {
      return ofVerdict(rule({ status, headers, body }), answer)
    } catch (cause) {
      const said = cause instanceof Error ? `${cause}` : "it threw no error"
      return failed("BAD_RESPONSE", `the kind's success rule broke off: ${said}`, status, answer.retryAfterMs)
    }
  }

/** What a kind of a host app's own takes for success where it says nothing: any 2xx, or a 409; a job id is kept if there is one. */
export const anySuccess = (answer: Answer): AttemptResult => {
  const { body, retryAfterMs, status } = answer
  if ((status < 200 || status >= 300) && status !== 409) return refused(status, body, retryAfterMs)
  const said = body === "" ? undefined : jsonObject(body)
  return {
    _tag: "Accepted",
    jobId: said === undefined ? undefined : jobIdIn(said),
    creditsDeducted: said === undefined ? undefined : creditsIn(said)
  }
}
