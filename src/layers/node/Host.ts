/** What the machine and the package say of themselves: read here only. */
import { hostname, userInfo } from "node:os"
import { Effect } from "effect"

/** The host's name: a consumer name's default. */
export const hostName: Effect.Effect<string> = Effect.sync(() => hostname())

/** Who runs this process, and where: `anna@host-1`. A user without a name in the system has a number. */
export const operatorName: Effect.Effect<string> = Effect.sync(() => {
  const host = hostname()
  try {
    return `${userInfo().username}@${host}`
  } catch {
    return `uid ${process.getuid?.() ?? "?"}@${host}`
  }
})

export { version } from "./version.ts"
