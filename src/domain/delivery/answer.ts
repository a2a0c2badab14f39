import { blanked, cut } from "../text/printable.ts"
import type { AttemptResult, Failed } from "./attempt.ts"

/** The longest answer to a delivery that is read, in bytes (contract section 4). */
export const MAX_ANSWER_BYTES = 1024 * 1024

/** The longest error message that is kept, in UTF-16 code units (contract section 5). */
const MAX_MESSAGE_LENGTH = 1_024

/** No more of a message is cleaned than may be kept of it, were nearly all of it redacted. */
const MOST_CLEANED = 16 * MAX_MESSAGE_LENGTH

/** The longest job id that is kept, in UTF-16 code units. */
const MAX_JOB_ID_LENGTH = 128

/** An answer of the jobs API whose body was read to its end. */
export interface Answer {
  readonly status: number
  /** By name, in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What `Retry-After` asks for, in milliseconds. */
  readonly retryAfterMs: number | undefined
}

// Whatever comes back of our own Authorization value: whole, cut short or escaped for a URL; and a signature by itself.
const AUTHORIZATION = /Ed25519(?:\s|%20|\+)*\d+(?:(?::|%3A)[A-Za-z0-9+/=%\\]*)?/gi
const SIGNATURE = /[A-Za-z0-9+/]{86}==/g

/**
 * Others' text, made fit to keep and to log: nothing unprintable, nothing of an `Authorization` value, at most
 * {@link MAX_MESSAGE_LENGTH} long, well-formed.
 */
const cleanMessage = (text: string): string =>
  blanked(text.slice(0, MOST_CLEANED).replace(AUTHORIZATION, "<redacted>").replace(SIGNATURE, "<redacted>"))
    .slice(0, MAX_MESSAGE_LENGTH)
    .toWellFormed()

/** A failed attempt, its message cleaned. */
export const failed = (
  errorCode: string,
  errorMessage: string,
  status?: number,
  retryAfterMs?: number | undefined
): Failed => ({ _tag: "Failed", errorCode, errorMessage: cleanMessage(errorMessage), status, retryAfterMs })

export const jsonObject = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

export const jobIdIn = (body: Record<string, unknown>): string | undefined => {
  const id = body.job_id
  if (typeof id === "string") return cut(id, MAX_JOB_ID_LENGTH)
  return typeof id === "number" && Number.isFinite(id) ? `${id}` : undefined
}

export const creditsIn = (body: Record<string, unknown>): number | undefined => {
  const credits = body.credits_deducted
  return typeof credits === "number" && Number.isFinite(credits) ? credits : undefined
}

/** The API's own words for its refusal, where it gave any. */
const ownError = (body: Record<string, unknown> | undefined): string | undefined => {
  const given = [body?.error_code, body?.error_message].filter(
    (part) => (typeof part === "string" && part !== "") || typeof part === "number"
  )
  return given.length === 0 ? undefined : given.join(": ")
}

/** The failed attempt of a status that is no success, from what could be read of its body. */
export const refused = (status: number, body: string | undefined, retryAfterMs: number | undefined): Failed =>
  failed(
    `HTTP_${status}`,
    ownError(body === undefined ? undefined : jsonObject(body)) ?? `the API answered with status ${status}`,
    status,
    retryAfterMs
  )

/**
 * What an answer to a delivery comes to (contract section 4): a 2xx with `job_id` and `credits_deducted`, or a 409 with
 * `job_id`, is Accepted; all else is Failed.
 */
export const attemptResult = (answer: Omit<Answer, "headers">): AttemptResult => {
  const { status } = answer
  const success = status >= 200 && status < 300
  if (!success && status !== 409) return refused(status, answer.body, answer.retryAfterMs)
  const body = jsonObject(answer.body)
  const jobId = body === undefined ? undefined : jobIdIn(body)
  if (body === undefined || jobId === undefined) {
    if (!success) return refused(status, answer.body, answer.retryAfterMs)
    const problem = body === undefined ? "the body is not a JSON object" : "`job_id` must be a string or a number"
    return failed("BAD_RESPONSE", problem, status, answer.retryAfterMs)
  }
  const creditsDeducted = creditsIn(body)
  if (success && creditsDeducted === undefined) {
    return failed("BAD_RESPONSE", "`credits_deducted` must be a number", status, answer.retryAfterMs)
  }
  return { _tag: "Accepted", jobId, creditsDeducted }
}
