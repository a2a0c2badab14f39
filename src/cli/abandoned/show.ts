import { Effect, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { fieldsToObject } from "../../domain/events/entry.ts"
import { instant } from "../../domain/events/instant.ts"
import { printable } from "../../domain/text/printable.ts"
import type { FailedEntry } from "../../programs/operator/failedEntry.ts"
import { abandonedItem } from "../../programs/operator/redrive.ts"
import { entriesOf, noFilters, select } from "../../programs/operator/selection.ts"
import { attemptLines } from "../attempts.ts"
import { json } from "../flags.ts"
import { Misused, operating } from "../operator.ts"
import { printJson, printLines } from "../output.ts"
import { abandonedSource, abandonedValue } from "./entries.ts"

const times: ReadonlySet<string> = new Set(["first_failed_at", "abandoned_at"])

const detailsOf = ({ fields, id, stream }: FailedEntry): ReadonlyArray<string> => {
  const { abandoned, event, history, replayed } = abandonedItem(stream, { id, fields })
  return [
    `${stream} ${id}`,
    ...Object.entries({ ...abandoned, ...fieldsToObject(event) }).map(
      ([name, value]) => `  ${name.padEnd(18)} ${times.has(name) && typeof value === "number" ? instant(value) : value}`
    ),
    ...attemptLines(history, replayed)
  ]
}

export const show = Command.make(
  "show",
  { id: Argument.String("id").pipe(Argument.withDescription("Entry id or event id")), json },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const source = abandonedSource(operated)
        const selection = yield* select(source, { ...noFilters, named: [flags.id] })
        const found = yield* Stream.runCollect(entriesOf(source, selection))
        if (found.length === 0)
          return yield* new Misused({ problem: `no abandoned entry has the id ${printable(flags.id)}` })
        yield* Effect.forEach(
          found,
          (entry) => (flags.json ? printJson(abandonedValue(entry), 2) : printLines(detailsOf(entry))),
          { discard: true }
        )
      })
    )
).pipe(Command.withDescription("Show one abandoned entry with its whole event"))
