/** What commands share that change something (contract section 1): how many, a question, progress, and what came of it. */
import { Effect, Option, Terminal } from "effect"
import { Flag } from "effect/cli"
import { type Filters, isFiltered } from "../programs/operator/selection.ts"
import { auditFlags } from "./audited.ts"
import { Misused } from "./operator.ts"
import { counted, printLine } from "./output.ts"
import { Screen } from "./screen.ts"

const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("Show what would be done without doing it"),
  Flag.withDefault(false)
)

const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withDescription("Do it without asking; needed where there is no terminal"),
  Flag.withDefault(false)
)

/** The flags of everything that changes something. */
export const actFlags = {
  yes,
  dryRun,
  ...auditFlags
}

/** Beside filters. */
export const all = Flag.Boolean("all").pipe(
  Flag.withDescription("Everything, where no filter is given"),
  Flag.withDefault(false)
)

/** Nothing is done to everything by accident. */
export const mustBeMeant = (
  flags: { readonly all: boolean; readonly dryRun: boolean },
  filters: Filters
): Effect.Effect<void, Misused> => {
  if (flags.all && isFiltered(filters))
    return Effect.fail(new Misused({ problem: "--all is for everything; with a filter leave it out" }))
  return flags.all || flags.dryRun || isFiltered(filters)
    ? Effect.void
    : Effect.fail(new Misused({ problem: "name ids, give a filter, or pass --all to act on everything" }))
}

/** Asks whether it is meant, or fails where there is nobody to ask. */
export const confirm = Effect.fnUntraced(function* (
  flags: { readonly yes: boolean },
  question: string
): Effect.fn.Return<void, Misused, Terminal.Terminal> {
  if (flags.yes) return
  const screen = yield* Screen
  if (!screen.canAsk) return yield* new Misused({ problem: `${question} Pass --yes to do it without being asked` })
  const terminal = yield* Terminal.Terminal
  yield* Effect.ignore(terminal.display(`${question} [y/N] `))
  const answer = yield* Effect.option(terminal.readLine)
  if (Option.isNone(answer)) yield* printLine("")
  if (!/^\s*y(?:es)?\s*$/i.test(Option.getOrElse(answer, () => "")))
    return yield* new Misused({ problem: "nothing was changed" })
})

/** `1 event`, `1,937 events`. */
export const events = (count: number): string => `${counted(count)} ${count === 1 ? "event" : "events"}`
