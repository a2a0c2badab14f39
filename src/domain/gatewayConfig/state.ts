/** What configuration sync remembers in `CONFIG_DIR`, beside the three files: the shapes of its own JSON files. */
import { Schema } from "effect"
import { type Contents, fileNames } from "./files.ts"

/** Epoch milliseconds; a clock in a simulation may give fractions. */
const Millis = Schema.Finite
const Generation = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/**
 * `.state.json`. What is installed is not in here: the link `current` alone says that, so that there is one commit
 * point. A reload is pending whenever `settled` names another generation than `current`.
 */
export const ConfigState = Schema.Struct({
  /** The generation the gateway last took up (or was installed while there is none to tell), and when. */
  settled: Schema.optionalKey(Schema.Struct({ generation: Generation, at: Millis })),
  /** Installs and repairs are suspended; `until` null: until released. */
  hold: Schema.optionalKey(Schema.Struct({ since: Millis, until: Schema.NullOr(Millis) })),
  /** Versions up to `version` stay out until a higher one arrives; `generation` holds what was left. */
  keptOut: Schema.optionalKey(
    Schema.Struct({
      version: Version,
      generation: Generation,
      cause: Schema.Literals(["rollback", "gateway"]),
      at: Millis
    })
  ),
  /** What was installed and gone back from, the newest last, when and why: their folders may be gone. */
  left: Schema.optionalKey(
    Schema.Array(
      Schema.Struct({
        generation: Generation,
        version: Schema.NullOr(Version),
        installedAt: Schema.NullOr(Millis),
        cause: Schema.Literals(["rollback", "gateway"]),
        at: Millis
      })
    )
  ),
  /** The highest number that a generation ever had, once no folder shows it: a number is given out once. */
  newest: Schema.optionalKey(Generation),
  /** The version that `config accept` lets in once. */
  accepted: Schema.optionalKey(Schema.Struct({ version: Version, at: Millis }))
})
export type ConfigState = typeof ConfigState.Type

const MAX_LEFT = 20

/** The state once a generation is gone back from: its version stays out, and what it was is remembered. */
export const afterLeaving = (
  state: ConfigState,
  left: { readonly generation: number; readonly version: number | undefined; readonly installedAt: number | undefined },
  cause: "rollback" | "gateway",
  at: number
): ConfigState => {
  const { generation, installedAt = null, version } = left
  const entry = { generation, version: version ?? null, installedAt, cause, at }
  return {
    ...state,
    left: [...(state.left ?? []), entry].slice(-MAX_LEFT),
    ...(version === undefined
      ? {}
      : { keptOut: { version: Math.max(version, state.keptOut?.version ?? 0), generation, cause, at } })
  }
}

/** Whether installs and repairs are suspended at a time. */
export const isHeld = (state: ConfigState, now: number): boolean =>
  state.hold !== undefined && (state.hold.until === null || now < state.hold.until)

const StoredFile = Schema.optionalKey(Schema.Struct({ mode: Schema.Int, content: Schema.Uint8ArrayFromBase64 }))

/**
 * `generations/<n>/generation.json`: what was installed, byte for byte. With it drift is seen, described and repaired
 * without the API, and a rollback target can be trusted.
 */
export const GenerationRecord = Schema.Struct({
  generation: Generation,
  /** Null where adopted files carry none. */
  version: Schema.NullOr(Version),
  /** The API's ETag for this content, null where it gave none. */
  etag: Schema.NullOr(Schema.String),
  installedAt: Millis,
  reason: Schema.Literals(["install", "repair", "adopted"]),
  /** The generation a rollback goes back to. */
  parent: Schema.NullOr(Generation),
  /** The folder's mode as the file system gave it back; absent in older records: 0755. */
  folderMode: Schema.optionalKey(Schema.Int),
  files: Schema.Struct({ "openai.conf": StoredFile, "models.conf": StoredFile, "limits.conf": StoredFile })
})
export type GenerationRecord = typeof GenerationRecord.Type

/**
 * The mode of the keys' file where others may read it all the same: the file system keeps no modes. Files found at first
 * keep the mode that they had.
 */
export const exposedMode = (record: GenerationRecord | undefined): number | undefined => {
  const mode = record?.files["openai.conf"]?.mode ?? 0
  return record?.reason !== "adopted" && (mode & 0o007) !== 0 ? mode : undefined
}

/** The files a record holds. */
export const contentsOfRecord = (record: GenerationRecord): Contents =>
  Object.fromEntries(
    fileNames.flatMap((name) => {
      const file = record.files[name]
      return file === undefined ? [] : [[name, file.content]]
    })
  )

/** `.journal.json`, only where links cannot be made: the commit point there, and which generation is installed. */
export const Journal = Schema.Struct({
  generation: Generation,
  /** False from the commit until all three files are in place. */
  done: Schema.Boolean
})
export type Journal = typeof Journal.Type

/** `.lock`: who writes. A nonce tells two lives of one process apart where there is no start time. */
export const LockHolder = Schema.Struct({
  host: Schema.String,
  bootId: Schema.NullOr(Schema.String),
  pid: Schema.Int,
  startTime: Schema.NullOr(Schema.String),
  nonce: Schema.String
})
export type LockHolder = typeof LockHolder.Type
