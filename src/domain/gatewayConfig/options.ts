import type { Duration } from "effect"

/** How configuration sync runs (contract section 2, `CONFIG_*`). */
export interface ConfigSyncOptions {
  /** From one fetch to the next; 60 seconds by default in the environment. `CONFIG_SYNC_INTERVAL`. */
  readonly interval: Duration.Duration
  /** Where the three files are kept; `/config` by default in the environment. `CONFIG_DIR`. */
  readonly directory: string
  /** What becomes of files that were edited or removed by hand: put back, or only reported. `CONFIG_DRIFT`, default `repair`. */
  readonly drift: "repair" | "report"
  /** Name or number of a group that may read `openai.conf` (0640); undefined: its owner alone (0600). `CONFIG_FILE_GROUP`. */
  readonly fileGroup?: string | undefined
}

/** How the Models Gateway is told and asked (contract section 2, `GATEWAY_*`); at most one of each pair is set. */
export interface GatewayOptions {
  /** A file with the pid that gets SIGHUP. `GATEWAY_PID_FILE`; not together with `reloadCommand`. */
  readonly pidFile?: string | undefined
  /** A command to run instead, without a shell: words with spaces between, or a JSON array of strings. `GATEWAY_RELOAD_COMMAND`. */
  readonly reloadCommand?: string | undefined
  /** A file in which the gateway reports `{"version": n}`. `GATEWAY_STATUS_FILE`; not together with `statusUrl`. */
  readonly statusFile?: string | undefined
  /** A URL that answers with the same. `GATEWAY_STATUS_URL`. */
  readonly statusUrl?: string | undefined
}
