/** `job-collector dlq …`: what waits for its next attempt. */
import { Command } from "effect/cli"
import { drop } from "./drop.ts"
import { groups } from "./groups.ts"
import { list } from "./list.ts"
import { retry } from "./retry.ts"

export const dlq = Command.make("dlq").pipe(Command.withSubcommands([list, groups, retry, drop]))
