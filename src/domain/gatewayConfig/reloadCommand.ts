/** `GATEWAY_RELOAD_COMMAND`: its words, and the environment it may see. */
import { Option, Schema } from "effect"

const Words = Schema.fromJsonString(Schema.NonEmptyArray(Schema.String))
const decodeWords = Schema.decodeUnknownOption(Words)

/**
 * The program and its arguments: a JSON array of strings where the text starts with `[`, else the words between
 * spaces, quotes and backslashes being ordinary characters. Undefined where there is no program.
 */
export const wordsOfCommand = (text: string): readonly [string, ...Array<string>] | undefined => {
  const trimmed = text.trim()
  const words = trimmed.startsWith("[")
    ? Option.getOrUndefined(decodeWords(trimmed))
    : trimmed.split(/\s+/).filter((word) => word !== "")
  const [program, ...args] = words ?? []
  return program === undefined || program === "" ? undefined : [program, ...args]
}

/** Settings of this program that are or may carry a secret: keys, passwords, URLs with a password, headers. */
const SECRET = /^(ED25519_|REDIS_|OTEL_|API_|GATEWAY_)/

/** The environment without this program's secrets; everything else the command may need. */
export const withoutSecrets = (environment: Readonly<Record<string, string | undefined>>): Record<string, string> => {
  const kept: Record<string, string> = {}
  for (const [name, value] of Object.entries(environment)) {
    if (value !== undefined && !SECRET.test(name)) kept[name] = value
  }
  return kept
}
