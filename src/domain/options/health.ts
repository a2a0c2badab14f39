/** What `/health` says (contract section 8): pure data, and the one rule that combines its checks. */

/** `off`: the check is switched off. Only `degraded` and `down` are bad. */
export type CheckStatus = "ok" | "degraded" | "down" | "off"

/** One check: its status, what is wrong and what to do about it where it is not `ok`, and its figures. */
export interface Check {
  readonly status: CheckStatus
  readonly problem?: string | undefined
  readonly [figure: string]: unknown
}

/** The checks of contract section 8. */
export interface Checks {
  readonly redis: Check
  readonly api: Check
  readonly traffic: Check
  readonly signing_key: Check
  readonly consumer_groups: Check
  readonly config_sync: Check
  readonly gateway: Check
}

export type CheckName = keyof Checks

/** What `/health` answers; `down` is a 503. */
export interface HealthReport {
  readonly status: "ok" | "degraded" | "down"
  /** By what the collector ended, where it did not go on: the checks then stand as they were. */
  readonly problem?: string | undefined
  readonly checks: Checks
}

/** Whether the process can be sent work, and why not. */
export interface Readiness {
  readonly ready: boolean
  readonly reasons: ReadonlyArray<string>
}

/**
 * Whether all loops show signs of life; `silent` are those that do not, with the seconds since their last one. A collector
 * that has ended by itself is not live: `problem` says by what.
 */
export interface Liveness {
  readonly live: boolean
  readonly silent: ReadonlyArray<{ readonly loop: string; readonly seconds: number }>
  readonly problem?: string | undefined
}

/** Without these nothing is delivered. */
const vital: ReadonlySet<string> = new Set<CheckName>(["redis", "signing_key", "consumer_groups"])

/** `down` where the collector has ended or a vital check is down, `degraded` where anything else is wrong. */
export const healthOf = (checks: Checks, ended?: string): HealthReport => {
  if (ended !== undefined) return { status: "down", problem: ended, checks }
  const all = Object.entries(checks) as ReadonlyArray<[CheckName, Check]>
  const bad = all.filter(([, { status }]) => status === "down" || status === "degraded")
  const down = bad.some(([name, { status }]) => status === "down" && vital.has(name))
  return { status: down ? "down" : bad.length > 0 ? "degraded" : "ok", checks }
}

/** The checks that are degraded or down, as one line: `redis=down api=degraded`. */
export const troubles = ({ checks }: HealthReport): string =>
  Object.entries(checks)
    .filter(([, { status }]: [string, Check]) => status === "down" || status === "degraded")
    .map(([name, { status }]: [string, Check]) => `${name}=${status}`)
    .join(" ")
