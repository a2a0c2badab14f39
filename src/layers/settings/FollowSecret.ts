/** A secret's file, read again while the service runs: what is rotated needs no restart (contract section 4, Keys). */
import { Duration, Effect, type FileSystem, Redacted, Result } from "effect"
import type { Setting, SettingProblem } from "./setting.ts"

/** How often a file is looked at. */
const interval = Duration.seconds(2)

type Secret = Redacted.Redacted<string>

/** What is followed, and what to do with another value. */
export interface Followed {
  readonly variable: string
  /** Reads the file; undefined where the variable is unset. */
  readonly file: Setting<Secret | undefined, FileSystem.FileSystem>
  /** The value in use. */
  readonly present: Secret
  /** Uses another value from now on: what to log about it. Fails with what is wrong with it, and then uses the one before. */
  readonly use: (value: Secret) => Effect.Effect<Readonly<Record<string, string>>, string>
  /** Ends at each wish that the file be looked at now. */
  readonly hurry: Effect.Effect<void>
}

/**
 * Follows a secret's file until it is interrupted; ends at once where no file is named. What cannot be read, does not
 * parse or cannot be used is said once, not at every look.
 */
export const followSecret = Effect.fnUntraced(function* ({ file, hurry, present, use, variable }: Followed) {
  let inUse = Redacted.value(present)
  let refused: string | undefined

  const refuse = Effect.fnUntraced(function* (problem: string) {
    if (problem === refused) return
    refused = problem
    yield* Effect.logError("secret.refused").pipe(Effect.annotateLogs({ variable, problem }))
  })

  const consider = Effect.fnUntraced(function* (value: Secret) {
    if (Redacted.value(value) !== inUse) {
      const said = yield* use(value)
      inUse = Redacted.value(value)
      yield* Effect.logInfo("secret.reloaded").pipe(Effect.annotateLogs({ variable, ...said }))
    }
    refused = undefined
  }, Effect.catch(refuse))

  const problemIn = (problems: ReadonlyArray<SettingProblem>) => problems.map(({ problem }) => problem).join("; ")

  /** Looks once: whether there is a file to follow. A defect ends no following; its words might be the secret's. */
  const look = Effect.gen(function* () {
    const { result } = yield* file
    if (Result.isFailure(result)) yield* refuse(problemIn(result.failure))
    else if (result.success === undefined) return false
    else yield* consider(result.success)
    return true
  }).pipe(Effect.catchCause(() => Effect.as(refuse("it could not be used: an internal error"), true)))

  while (yield* look) yield* Effect.raceFirst(Effect.sleep(interval), hurry)
})
