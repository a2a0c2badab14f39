/** `job-collector dlq …`: what waits for its next attempt. */
import { Command } from "effect/cli"
import { groups } from "./groups.ts"
import { list } from "./list.ts"

export const dlq = Command.make("dlq").pipe(Command.withSubcommands([list, groups]))
