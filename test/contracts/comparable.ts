/** Makes replies of two servers comparable: what depends on time or on a server's insides is masked or rounded. */
import { scriptName } from "../../src/services/Scripts.ts"

const HOUR = 3_600_000
const hours = (value: unknown): unknown => (typeof value === "number" ? `~${Math.round(value / HOUR)} h` : value)

const PLACE_IN_SCRIPT = / script: [0-9a-f]{40}, on @user_script:\d+\.$|user_script:\d+: /g

/**
 * The engine follows Redis 7.0. Later versions word some errors anew, tell more in XINFO and make a consumer on its first
 * read even if that gets nothing; there, these are left out of the comparison.
 */
export const isFollowed = (info: string): boolean => /\r\nredis_version:7\.0\./.test(info)

/** Whether a reply tells which consumers there are. */
export const tellsConsumers = ([name, first = ""]: ReadonlyArray<string>): boolean =>
  name === "XINFO" || first === "CREATECONSUMER" || (name === "EVAL" && scriptName(first) === "retire")

/** An error's code: its first word. */
export const errorCode = (message: string): string => message.split(" ", 1).join()

/** An error's text without the place in the script that Redis adds. */
export const comparableError = (message: string): string => message.replace(PLACE_IN_SCRIPT, "")

const VAGUE = new Set(["idle", "seen-time", "radix-tree-keys", "radix-tree-nodes"])

const masked = (reply: unknown): unknown => {
  if (typeof reply === "number" && reply > 1e12) return "<time>"
  if (!Array.isArray(reply)) return reply
  return reply.map((item, at) => {
    const name = reply[at - 1]
    if (!VAGUE.has(name)) return masked(item)
    return name === "idle" ? hours(item) : "<masked>"
  })
}

/** A reply as it may be compared, by the command that gave it. */
export const comparableReply = (command: ReadonlyArray<string>, reply: unknown): unknown => {
  const [name, ...args] = command
  if (name === "XPENDING" && args.length > 2 && Array.isArray(reply)) {
    return reply.map(([id, consumer, idle, count]) => [id, consumer, hours(idle), count])
  }
  if (name === "XINFO") return masked(reply)
  if (name === "PTTL") return hours(reply)
  if (name === "KEYS" && Array.isArray(reply)) return reply.toSorted()
  if (name === "SCAN" && Array.isArray(reply)) return [reply[0], reply[1].toSorted()]
  return reply
}
