import { Config, Effect, FileSystem, Option, Redacted, Result, Schema } from "effect"
import { readSmallFile } from "./smallFile.ts"

/** What is wrong with one variable: what it must be. Never the value of a secret. */
export interface SettingProblem {
  readonly variable: string
  readonly problem: string
}

/** Every variable that is wrong, one line each in the message. */
export class SettingsError extends Schema.TaggedError<SettingsError>()("SettingsError", {
  problems: Schema.Array(Schema.Struct({ variable: Schema.String, problem: Schema.String }))
}) {
  override get message(): string {
    return this.problems.map(lineOf).join("\n")
  }
}

/** `VARIABLE: what it must be`. */
const lineOf = ({ variable, problem }: SettingProblem): string => `${variable}: ${problem}`

type Problems = ReadonlyArray<SettingProblem>

/** What came of reading: the value, or all problems; and what is worth a warning. */
export interface Validated<A> {
  readonly result: Result.Result<A, Problems>
  readonly warnings: Problems
}

/**
 * Something read from the configuration that collects problems instead of stopping at the first, as `Config` does: settings that are
 * combined with {@link all} report the problems of all of them.
 */
export type Setting<A, R = never> = Effect.Effect<Validated<A>, never, R>

/** The value that a setting reads. */
export type Value<S> = S extends Effect.Effect<Validated<infer A>, infer _E, infer _R> ? A : never

/** Turns the text of a variable into a value; the failure says what it must be. */
export type Parse<A> = (text: string) => Result.Result<A, string>

const validated = <A>(result: Result.Result<A, Problems>): Validated<A> => ({ result, warnings: [] })

const failing = (variable: string, problem: string): Validated<never> => validated(Result.fail([{ variable, problem }]))

/** A setting that needs no reading. */
export const constant = <A>(value: A): Setting<A> => Effect.succeed(validated(Result.succeed(value)))

/** The text of a variable, undefined where it is unset or empty. */
const text = (variable: string): Setting<string | undefined> =>
  Effect.match(Config.option(Config.String(variable)), {
    onFailure: () => failing(variable, "cannot be read from the configuration source"),
    onSuccess: (value) => validated(Result.succeed(Option.getOrUndefined(Option.filter(value, (it) => it !== ""))))
  })

/** Goes on with a value, to another value or to problems. */
export const andThen = <A, B, R>(
  setting: Setting<A, R>,
  next: (value: A) => Result.Result<B, Problems>
): Setting<B, R> => Effect.map(setting, ({ result, warnings }) => ({ result: Result.flatMap(result, next), warnings }))

export const map = <A, B, R>(setting: Setting<A, R>, f: (value: A) => B): Setting<B, R> =>
  andThen(setting, (value) => Result.succeed(f(value)))

/** Holds a value against rules that concern several variables. */
export const check = <A, R>(setting: Setting<A, R>, problemsOf: (value: A) => Problems): Setting<A, R> =>
  andThen(setting, (value) => {
    const problems = problemsOf(value)
    return problems.length === 0 ? Result.succeed(value) : Result.fail(problems)
  })

/** Adds what is worth a warning about a value that is allowed. */
export const warn = <A, R>(setting: Setting<A, R>, warningsOf: (value: A) => Problems): Setting<A, R> =>
  Effect.map(setting, ({ result, warnings }) => ({
    result,
    warnings: Result.isSuccess(result) ? [...warnings, ...warningsOf(result.success)] : warnings
  }))

/** Settings by name, read as one: its value has all their values, its problems are all their problems. */
export const all = <const S extends Readonly<Record<string, Setting<unknown, unknown>>>>(
  settings: S
): Setting<{ readonly [K in keyof S]: Value<S[K]> }, Effect.Services<S[keyof S]>> =>
  Effect.map(
    Effect.forEach(Object.entries(settings), ([name, setting]) =>
      Effect.map(setting as Setting<unknown, Effect.Services<S[keyof S]>>, (read) => ({ name, read }))
    ),
    (entries) => {
      const values: Record<string, unknown> = {}
      const problems: Array<SettingProblem> = []
      for (const { name, read } of entries) {
        if (Result.isSuccess(read.result)) values[name] = read.result.success
        else problems.push(...read.result.failure)
      }
      return {
        result:
          problems.length === 0
            ? Result.succeed(values as { readonly [K in keyof S]: Value<S[K]> })
            : Result.fail(problems),
        warnings: entries.flatMap(({ read }) => read.warnings)
      }
    }
  )

/** A variable that may be unset. */
export const optional = <A>(variable: string, parse: Parse<A>): Setting<A | undefined> =>
  andThen(text(variable), (value) =>
    value === undefined
      ? Result.succeed(undefined)
      : Result.mapError(parse(value), (problem) => [{ variable, problem }])
  )

/** Whether a variable is set, in whatever form: for rules between variables that hold even where one of them is wrong. */
export const isSet = (variable: string): Setting<boolean> => map(text(variable), (value) => value !== undefined)

/** A variable with a value of its own where it is unset. */
export const withDefault = <A>(variable: string, parse: Parse<A>, value: A): Setting<A> =>
  map(optional(variable, parse), (given) => given ?? value)

/** A variable that must be set. */
export const required = <A>(variable: string, parse: Parse<A>, what: string): Setting<A> =>
  andThen(optional(variable, parse), (given) =>
    given === undefined ? Result.fail([{ variable, problem: `must be set: ${what}` }]) : Result.succeed(given)
  )

/** Two variables of which at most one may be set. */
export const either = <A, B, RA, RB>(
  [variable, setting]: readonly [string, Setting<A, RA>],
  [otherVariable, other]: readonly [string, Setting<B, RB>]
): Setting<readonly [A, B], RA | RB> =>
  Effect.gen(function* () {
    const set = yield* all({ one: text(variable), two: text(otherVariable) })
    if (Result.isSuccess(set.result) && set.result.success.one !== undefined && set.result.success.two !== undefined) {
      return failing(variable, `must not be set together with ${otherVariable}: choose one of them`)
    }
    return yield* map(all({ setting, other }), (both) => [both.setting, both.other] as const)
  })

/**
 * The content of the file that a variable names, undefined where it is unset. Messages show neither the path (it may be the secret
 * itself, set in the wrong variable) nor the content.
 */
export const file = <A>(
  variable: string,
  parse: (content: Redacted.Redacted<string>) => Result.Result<A, string>
): Setting<A | undefined, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const path = (yield* text(variable)).result
    if (Result.isFailure(path)) return validated(Result.fail(path.failure))
    if (path.success === undefined) return validated(Result.succeed(undefined))
    const content = yield* Effect.result(readSmallFile(yield* FileSystem.FileSystem, path.success))
    if (Result.isFailure(content)) return failing(variable, `must name a readable file: ${content.failure}`)
    return validated(
      Result.mapError(parse(Redacted.make(content.success)), (problem) => [
        { variable, problem: `the file that it names ${problem}` }
      ])
    )
  })

/** Settings that are in order, and what is worth a warning about them. */
export interface Loaded<A> {
  readonly settings: A
  readonly warnings: ReadonlyArray<string>
}

/**
 * Reads settings from the ambient `ConfigProvider`. Fails with `SettingsError`: every variable that is wrong, with its rule.
 *
 * @example
 * ```ts
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { ConfigProvider, Effect } from "effect"
 * import { Environment } from "job-collector"
 *
 * const environment = ConfigProvider.fromEnv({ env: { REDIS_URL: "memory:" } })
 *
 * export const example = Environment.load(Environment.redis).pipe(
 *   Effect.map(({ settings }) => settings._tag === "Memory"),
 *   Effect.provideService(ConfigProvider.ConfigProvider, environment),
 *   Effect.provide(NodeServices.layer)
 * )
 * ```
 */
export const load = <A, R>(setting: Setting<A, R>): Effect.Effect<Loaded<A>, SettingsError, R> =>
  Effect.flatMap(setting, ({ result, warnings }) =>
    Effect.fromResult(
      Result.mapBoth(result, {
        onFailure: (problems) => new SettingsError({ problems: firstOfEach(problems) }),
        onSuccess: (settings): Loaded<A> => ({ settings, warnings: [...new Set(warnings.map(lineOf))] })
      })
    )
  )

/** Groups may share a variable, and rules between variables find fault with one that is wrong by itself: a line each. */
const firstOfEach = (problems: Problems): Problems =>
  problems.filter(({ variable }, at) => problems.findIndex((other) => other.variable === variable) === at)
