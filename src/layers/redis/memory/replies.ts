/** What a command answers with, and the errors it answers with, in Redis's own words. */

/** A reply as ioredis hands it out (RESP2): bulk and status strings, integers, nil and arrays. */
export type Reply = string | number | null | ReadonlyArray<Reply>

/** An error reply. Its message starts with Redis's error code. */
export class ReplyError extends Error {
  override readonly name = "ReplyError"
}

export const syntaxError = () => new ReplyError("ERR syntax error")
export const wrongType = () => new ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
const notAnInteger = () => new ReplyError("ERR value is not an integer or out of range")
export const invalidId = () => new ReplyError("ERR Invalid stream ID specified as stream command argument")
export const wrongArity = (command: string) =>
  new ReplyError(`ERR wrong number of arguments for '${command.toLowerCase()}' command`)
export const unknownSubcommand = (command: string, subcommand: string) =>
  new ReplyError(`ERR unknown subcommand '${subcommand}'. Try ${command} HELP.`)
export const subcommandSyntax = (command: string, subcommand: string) =>
  new ReplyError(`ERR unknown subcommand or wrong number of arguments for '${subcommand}'. Try ${command} HELP.`)
export const noSuchKey = () => new ReplyError("ERR no such key")
export const noGroup = (key: string, group: string, where = "") =>
  new ReplyError(`NOGROUP No such key '${key}' or consumer group '${group}'${where}`)
export const noGroupForKey = (key: string, group: string) =>
  new ReplyError(`NOGROUP No such consumer group '${group}' for key name '${key}'`)
/** Of a command alone, as Redis says it; of a command on a key, as this project's scripts say it. */
export const noPermission = (command: string, key?: string) =>
  new ReplyError(
    `NOPERM this user has no permissions to run the '${command.toLowerCase()}' command${key === undefined ? "" : ` on '${key}'`}`
  )

const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/
const MAX_INTEGER = 9_223_372_036_854_775_807n

/** A signed 64-bit integer in its plain form, as a number (exact up to 2^53). */
export const integer = (text: string | undefined, error: () => ReplyError = notAnInteger): number => {
  if (text === undefined || !INTEGER.test(text)) throw error()
  if (text.length > 18) {
    const exact = BigInt(text)
    if (exact > MAX_INTEGER || exact < -MAX_INTEGER - 1n) throw error()
  }
  return Number(text)
}

/** Refuses a number of arguments that a command does not take; a negative arity is a least number, the name counted. */
export const checkArity = (name: string, arity: number, given: number): void => {
  if (arity >= 0 ? given !== arity : given < -arity) throw wrongArity(name)
}
