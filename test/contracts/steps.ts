import { Effect, Result } from "effect"
import { assert } from "vitest"
import { Redis } from "../../src/services/Redis.ts"
import { comparableError } from "./comparable.ts"

/** An error reply whose text starts so. */
class Refusal {
  readonly start: string
  constructor(start: string) {
    this.start = start
  }
}

/** Expects an error reply; its text (without the place in a script) must start so. */
export const refused = (start: string): Refusal => new Refusal(start)

export const WRONG_TYPE = refused("WRONGTYPE Operation against a key holding the wrong kind of value")

/** What a command must answer: exactly this reply, a refusal, or what a function of the reply accepts. */
export type Expectation = Refusal | ((reply: unknown) => void) | string | number | null | ReadonlyArray<unknown>

export type CommandLine = string | ReadonlyArray<string>

const words = (line: CommandLine): ReadonlyArray<string> => (typeof line === "string" ? line.split(" ") : line)

/** The arguments of EVAL for a script. */
export const call = (
  script: { readonly lua: string },
  keys: ReadonlyArray<string>,
  argv: ReadonlyArray<string>
): ReadonlyArray<string> => ["EVAL", script.lua, `${keys.length}`, ...keys, ...argv]

/** Commands that RESP2 answers by stream in pairs; any other map is a flat list in it. */
const READS: ReadonlySet<string> = new Set(["XREAD", "XREADGROUP"])

/** A reply as RESP2 has it: the maps of RESP3 as lists. */
const asResp2 = (name: string, reply: unknown): unknown => {
  if (Array.isArray(reply)) return reply.map((item) => asResp2(name, item))
  if (typeof reply !== "object" || reply === null) return reply
  const pairs = reply instanceof Map ? [...reply] : Object.entries(reply)
  const read = pairs.map(([key, value]) => [key, asResp2(name, value)])
  return READS.has(name) ? read : read.flat()
}

/** Sends a command over a connection; the reply is as RESP2 has it, whichever protocol the driver speaks. */
export const sendOver = <A = unknown>(connection: Pick<Redis["Service"], "send">, line: CommandLine) => {
  const [name = "", ...args] = words(line)
  return Effect.map(connection.send(name, ...args), (reply) => asResp2(name, reply) as A)
}

/** Sends a command given as one line of words, or as a list where words hold spaces. */
export const send = <A = unknown>(line: CommandLine) => Redis.use((redis) => sendOver<A>(redis, line))

/** The text of the error that a command is answered with. */
export const errorOf = (line: CommandLine) =>
  Effect.map(Effect.flip(send(line)), ({ cause }) => comparableError(cause instanceof Error ? cause.message : "?"))

/** Sends commands one after another and checks every answer. */
export const steps = (...expected: ReadonlyArray<readonly [CommandLine, Expectation]>) =>
  Effect.forEach(
    expected,
    ([line, expectation]) =>
      Effect.gen(function* () {
        const what = words(line).join(" ")
        const result = yield* Effect.result(send(line))
        if (Result.isFailure(result)) {
          const { cause } = result.failure
          const said = comparableError(cause instanceof Error ? cause.message : "?")
          assert.instanceOf(expectation, Refusal, `${what}: unexpected error: ${said}`)
          if (expectation instanceof Refusal)
            assert.strictEqual(said.slice(0, expectation.start.length), expectation.start)
        } else if (typeof expectation === "function") {
          expectation(result.success)
        } else {
          assert.deepStrictEqual(result.success, expectation, what)
        }
      }),
    { discard: true }
  )

/** An empty server for each test. */
export const empty = send("FLUSHALL")

/** A flat reply of names and values, as an object of the names asked for. */
export const fieldsOf = (reply: unknown, ...names: ReadonlyArray<string>): Record<string, unknown> => {
  assert.isArray(reply)
  const flat = Array.isArray(reply) ? reply : []
  return Object.fromEntries(names.map((name) => [name, flat[flat.indexOf(name) + 1]]))
}

/** Polls an effect every 10 ms until it holds; fails with what was awaited after 20 s. */
export const eventuallyTrue = <E, R>(what: string, condition: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    const end = performance.now() + 20_000
    while (!(yield* condition)) {
      assert.isBelow(performance.now(), end, `not within 20 s: ${what}`)
      yield* Effect.sleep("10 millis")
    }
  })

/** Waits until so many readers wait on the server. */
export const blockedReaders = (count: number) =>
  eventuallyTrue(
    `${count} blocked readers`,
    Effect.map(send<string>("INFO clients"), (info) => info.includes(`blocked_clients:${count}\r\n`))
  )
