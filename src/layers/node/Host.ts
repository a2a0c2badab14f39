/** What the machine and the package say of themselves: read here only. */
import { hostname } from "node:os"
import { Effect } from "effect"

/** The host's name: a consumer name's default. */
export const hostName: Effect.Effect<string> = Effect.sync(() => hostname())

export { version } from "./version.ts"
