import { Effect, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import { lineValue } from "../../programs/operator/archive.ts"
import { entriesOf, lengthOf, select } from "../../programs/operator/selection.ts"
import { exportTo } from "../exporting.ts"
import { filters, filtersOf, limit } from "../filters.ts"
import { operating } from "../operator.ts"
import { counted, printAside, printJson } from "../output.ts"
import { abandonedSource } from "./entries.ts"

export const exportEntries = Command.make(
  "export",
  {
    file: Argument.String("file").pipe(
      Argument.withDescription("A new file, which only you may read; - or nothing for standard output"),
      Argument.withDefault("-")
    ),
    ...filters,
    limit
  },
  (flags) =>
    operating(
      Effect.fnUntraced(function* (operated) {
        const source = abandonedSource(operated)
        const selection = yield* select(source, yield* filtersOf(flags))
        const entries = Stream.take(entriesOf(source, selection), flags.limit ?? Number.MAX_SAFE_INTEGER)
        if (flags.file === "-") return yield* Stream.runForEach(entries, (entry) => printJson(lineValue(entry)))
        const written = yield* exportTo(flags.file, entries, yield* lengthOf(source, selection))
        yield* printAside(`${counted(written)} written to ${flags.file}`)
      })
    )
).pipe(
  Command.withDescription(
    "Write abandoned entries to a file, one JSON object a line, oldest first; `import` puts them back"
  )
)
