/** `job-collector abandoned …`: see what was abandoned, put it back, or delete it. */
import { Command } from "effect/cli"
import { drop } from "./drop.ts"
import { groups } from "./groups.ts"
import { list } from "./list.ts"
import { replay } from "./replay.ts"
import { show } from "./show.ts"

export const abandoned = Command.make("abandoned").pipe(Command.withSubcommands([list, show, groups, replay, drop]))
