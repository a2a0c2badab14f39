/** `job-collector abandoned …`: see what was abandoned, put it back, or delete it. */
import { Command } from "effect/cli"
import { drop } from "./drop.ts"
import { exportEntries } from "./export.ts"
import { groups } from "./groups.ts"
import { importEntries } from "./import.ts"
import { list } from "./list.ts"
import { replay } from "./replay.ts"
import { show } from "./show.ts"

export const abandoned = Command.make("abandoned").pipe(
  Command.withSubcommands([list, show, groups, replay, exportEntries, importEntries, drop])
)
