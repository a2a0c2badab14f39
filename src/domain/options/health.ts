/** What `/health` says (contract section 8): pure data, and the one rule that combines its checks. */

/** `off`: the check is switched off. Only `degraded` and `down` are bad. */
export type CheckStatus = "ok" | "degraded" | "down" | "off"

/** What every check has: its status, and what is wrong and what to do about it where it is not `ok`. */
export interface Check {
  readonly status: CheckStatus
  readonly problem?: string | undefined
}

/** Whether Redis does what is asked of it. (Times in figures are ISO 8601; what is not known is absent.) */
export interface RedisCheck extends Check {
  /** Of the last PING. */
  readonly round_trip_ms?: number | undefined
  readonly checked_at?: string | undefined
}

/** A partition that is held up: by its circuit, or because it has its share of the permits. */
export interface HeldPartition {
  /** `field=value`. */
  readonly partition: string
  readonly circuit?: "open" | undefined
  readonly next_probe_at?: string | undefined
  /** Its events that wait in this process. */
  readonly waiting: number
  readonly waiting_since?: string | undefined
}

/** The API, by the requests that are made anyway. */
export interface ApiCheck extends Check {
  readonly url: string
  readonly circuit: "open" | "closed"
  readonly next_probe_at?: string | undefined
  readonly partitions?: ReadonlyArray<HeldPartition> | undefined
  /** By a 429 with `Retry-After`. */
  readonly paused_until?: string | undefined
  readonly recent_succeeded: number
  readonly recent_failed: number
  readonly last_success_at?: string | undefined
  readonly last_failure?:
    | { readonly code: string; readonly message: string; readonly at: string | undefined }
    | undefined
}

/** Traffic rules, of which up to ten are shown, and kinds that make no requests. */
export interface TrafficCheck extends Check {
  readonly in_force: number
  readonly rules: ReadonlyArray<{
    readonly rule: string
    readonly until: string | undefined
    readonly by: string
    readonly why: string | undefined
  }>
  readonly paused_kinds?: ReadonlyArray<{ readonly kind: string; readonly problem: string }> | undefined
}

/** Whether a signature made with the key verifies. */
export interface SigningKeyCheck extends Check {
  /** Hex. */
  readonly public_key?: string | undefined
  readonly checked_at?: string | undefined
}

/** A stream that is read, and its group. */
export interface StreamCheck {
  readonly stream: string
  /** `dlq`, or its kind's name. */
  readonly label: string
  /** Whether it is being read. */
  readonly ready: boolean
  /** Whether its reader has a connection on which it can wait. */
  readonly own_connection: boolean | undefined
  readonly problem: string | undefined
  readonly length: number | undefined
  readonly lag: number | undefined
  readonly pending: number | undefined
  readonly oldest_pending_seconds: number | undefined
  readonly consumers: number | undefined
}

/** Whether every stream is being read, and the figures of each. */
export interface ConsumerGroupsCheck extends Check {
  readonly group: string
  readonly consumer: string | undefined
  /** Entries held until they are due. */
  readonly held: number | undefined
  readonly advice: string | undefined
  readonly streams: ReadonlyArray<StreamCheck>
}

/** `off`, without figures, where no configuration is kept in sync. */
export interface ConfigSyncCheck extends Check {
  readonly outcome?: "changed" | "unchanged" | "failed" | "refused" | undefined
  readonly version?: number | undefined
  readonly generation?: number | undefined
  readonly last_tick_at?: string | undefined
  readonly last_success_at?: string | undefined
  readonly consecutive_refusals?: number | undefined
  readonly held?: boolean | undefined
  readonly held_until?: string | undefined
  readonly kept_out?: number | undefined
  readonly drift?: ReadonlyArray<string> | undefined
}

/** Whether the gateway has taken up what is installed; `off` where nobody is told. */
export interface GatewayCheck extends Check {
  readonly pending_reload?: boolean | undefined
  readonly last_reload?: "signalled" | "applied" | "failed" | undefined
  readonly last_reload_at?: string | undefined
}

/** The checks of contract section 8. */
export interface Checks {
  readonly redis: RedisCheck
  readonly api: ApiCheck
  readonly traffic: TrafficCheck
  readonly signing_key: SigningKeyCheck
  readonly consumer_groups: ConsumerGroupsCheck
  readonly config_sync: ConfigSyncCheck
  readonly gateway: GatewayCheck
}

/** The name of a check. */
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
