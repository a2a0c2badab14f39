/** The longest wait that a `Retry-After` can ask for (contract section 5). */
export const MAX_RETRY_AFTER_MS = 5 * 60 * 1_000

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
const DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
const MONTH = `(${MONTHS.join("|")})`
const TIME = "(\\d{2}):(\\d{2}):(\\d{2})"

// The three spellings of RFC 9110 section 5.6.7. `Date.parse` would take much else, and take it as local time.
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d{2}) ${MONTH} (\\d{4}) ${TIME} GMT$`)
const RFC850_DATE = new RegExp(`^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-${MONTH}-(\\d{2}) ${TIME} GMT$`)
const ASCTIME_DATE = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`)

const epochMs = (year: number, month: string, day: string, h: string, m: string, s: string): number | undefined => {
  const midnight = Date.UTC(year, MONTHS.indexOf(month), Number(day))
  const [hours, minutes, seconds] = [Number(h), Number(m), Number(s)]
  // A day past the end of its month would roll over into the next; a leap second may stand.
  const exists = new Date(midnight).getUTCDate() === Number(day) && hours < 24 && minutes < 60 && seconds <= 60
  return exists ? midnight + ((hours * 60 + minutes) * 60 + seconds) * 1_000 : undefined
}

/** A two-digit year more than 50 years ahead is in the past (RFC 9110 section 5.6.7). */
const fullYear = (twoDigits: string, nowMs: number): number => {
  const now = new Date(nowMs).getUTCFullYear()
  const year = now - (now % 100) + Number(twoDigits)
  return year > now + 50 ? year - 100 : year
}

const httpDate = (text: string, nowMs: number): number | undefined => {
  const fixed = IMF_FIXDATE.exec(text)
  if (fixed !== null) {
    const [, day = "", month = "", year = "", h = "", m = "", s = ""] = fixed
    return epochMs(Number(year), month, day, h, m, s)
  }
  const obsolete = RFC850_DATE.exec(text)
  if (obsolete !== null) {
    const [, day = "", month = "", year = "", h = "", m = "", s = ""] = obsolete
    return epochMs(fullYear(year, nowMs), month, day, h, m, s)
  }
  const asctime = ASCTIME_DATE.exec(text)
  if (asctime !== null) {
    const [, month = "", day = "", h = "", m = "", s = "", year = ""] = asctime
    return epochMs(Number(year), month, day, h, m, s)
  }
  return undefined
}

/**
 * How long a `Retry-After` field (RFC 9110 section 10.2.3) asks to wait, in milliseconds, at most 5 minutes: a number of
 * seconds, or an HTTP-date counted from `nowMs`. Undefined where there is none, where it is neither, or where it lies in
 * the past.
 */
export const retryAfterMs = (field: string | undefined, nowMs: number): number | undefined => {
  if (field === undefined) return undefined
  const text = field.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1_000, MAX_RETRY_AFTER_MS)
  const at = httpDate(text, nowMs)
  return at === undefined || at < nowMs ? undefined : Math.min(at - nowMs, MAX_RETRY_AFTER_MS)
}
