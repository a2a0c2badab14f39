/** What settings and options have in common: how their texts and numbers are written (contract section 2). */

/** A name without blanks. */
export const isName = (text: string): boolean => /^\S+$/.test(text)

const maxU64 = 2n ** 64n - 1n

/** Where a consumer group starts: `$`, `0` or the id of an entry. */
export const isStartId = (text: string): boolean =>
  text === "$" || (/^\d{1,20}(?:-\d{1,20})?$/.test(text) && text.split("-").every((part) => BigInt(part) <= maxU64))

/** The HTTP error statuses: 4xx and 5xx. */
export const firstRefusal = 400
export const lastRefusal = 599

/** What is wrong with the URL of a webhook; undefined where nothing is. It may be a secret, so it is never shown. */
export const webhookUrlProblem = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) return "must be an http:// or https:// URL"
  if (url.username !== "" || url.password !== "") return "must be a URL without user and password in it"
  return undefined
}

/** The same of an HTTP service, to whose URL paths are appended. */
export const httpUrlProblem = (text: string): string | undefined =>
  webhookUrlProblem(text) ?? (/[?#]/.test(text) ? "must be a URL without query and fragment" : undefined)
