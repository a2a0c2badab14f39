import { Context, type Effect, Schema } from "effect"
import type { Bundle } from "../domain/gatewayConfig/bundle.ts"
import type { Contents } from "../domain/gatewayConfig/files.ts"
import type { ConfigState, GenerationRecord } from "../domain/gatewayConfig/state.ts"

/**
 * The configuration folder could not be read or written; what was installed before still is. `problem` names the path,
 * what was tried and the remedy, never a file's content.
 */
export class ConfigStoreError extends Schema.TaggedError<ConfigStoreError>()("ConfigStoreError", {
  reason: Schema.Literals([
    "Busy",
    "NoSpace",
    "ReadOnly",
    "Denied",
    "Locked",
    "Damaged",
    "UnknownGroup",
    "NoFolder",
    "NoGeneration",
    "Failed"
  ]),
  problem: Schema.String
}) {
  override get message(): string {
    return this.problem
  }
}

/** What stands in the configuration folder. */
export interface Installed {
  /** The generation that `current` names; undefined before the first install. */
  readonly generation: number | undefined
  /** What that generation was when it was installed; undefined where its record is gone or unreadable. */
  readonly record: GenerationRecord | undefined
  /** The recorded files as a bundle; undefined where they are none (adopted files may be anything). */
  readonly bundle: Bundle | undefined
  /** `contentOf(bundle)`. */
  readonly content: string | undefined
  readonly state: ConfigState
  /** How the disk differs from the record, one redacted line each; empty where it does not. */
  readonly drift: ReadonlyArray<string>
  /** An install by journal was cut short: `recover` completes it. */
  readonly unfinished: boolean
}

/** A set of files to install. */
export interface Installation {
  readonly contents: Contents
  readonly version: number | null
  readonly etag: string | null
  readonly reason: "install" | "repair"
}

/** One kept generation, as `config history` lists it. */
export interface GenerationSummary {
  readonly generation: number
  readonly record: GenerationRecord | undefined
  readonly current: boolean
}

/**
 * The configuration files and what is remembered beside them (contract section 7). The three files change together or
 * not at all. Everything that writes is called inside `locked`, which makes this process the only writer.
 */
export class ConfigStore extends Context.Service<
  ConfigStore,
  {
    /** Reads without a lock and without a write: about ten cheap calls if nothing has changed. */
    readonly read: Effect.Effect<Installed, ConfigStoreError>
    /** Fails if there is no folder yet: for what makes sense only in an existing one, since `locked` would make it. */
    readonly existing: Effect.Effect<void, ConfigStoreError>
    /** Runs an effect as the only writer; waits up to 40 s for another writer. */
    readonly locked: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | ConfigStoreError, R>
    /** Completes what a crash cut short and removes own leftovers; takes the lock itself, and only where it must. */
    readonly recover: Effect.Effect<void, ConfigStoreError>
    /** Installs a set as a fresh generation and returns its number. Inside `locked`. */
    readonly install: (installation: Installation) => Effect.Effect<number, ConfigStoreError>
    /** Makes an earlier generation the installed one and returns the number it then has. Inside `locked`. */
    readonly revert: (generation: number) => Effect.Effect<number, ConfigStoreError>
    /** Replaces the remembered state in one step. Inside `locked`. */
    readonly update: (change: (state: ConfigState) => ConfigState) => Effect.Effect<ConfigState, ConfigStoreError>
    /** The kept generations, newest first. */
    readonly history: Effect.Effect<ReadonlyArray<GenerationSummary>, ConfigStoreError>
  }
>()("job-collector/services/ConfigStore") {}
