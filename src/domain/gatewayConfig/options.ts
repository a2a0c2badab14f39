import type { Duration } from "effect"

/** How configuration sync runs (contract section 2, `CONFIG_*`). */
export interface ConfigSyncOptions {
  /** `CONFIG_SYNC_INTERVAL`. */
  readonly interval: Duration.Duration
  /** `CONFIG_DIR`. */
  readonly directory: string
  /** `CONFIG_DRIFT`: what becomes of files that were edited or removed by hand. */
  readonly drift: "repair" | "report"
  /** `CONFIG_FILE_GROUP`: name or number of a group that may read `openai.conf`. */
  readonly fileGroup?: string | undefined
}

/** How the Models Gateway is told and asked (contract section 2, `GATEWAY_*`); at most one of each pair is set. */
export interface GatewayOptions {
  /** `GATEWAY_PID_FILE`. */
  readonly pidFile?: string | undefined
  /** `GATEWAY_RELOAD_COMMAND`: words apart by spaces, or a JSON array of strings; no shell. */
  readonly reloadCommand?: string | undefined
  /** `GATEWAY_STATUS_FILE`. */
  readonly statusFile?: string | undefined
  /** `GATEWAY_STATUS_URL`. */
  readonly statusUrl?: string | undefined
}
