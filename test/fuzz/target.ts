/** One thing that is fuzzed: what it is given to begin with, and what has to hold for whatever it is given. */

/** Some texts: an entry's fields, a JSON text, a header's value; bytes as Latin-1. */
export type Input = ReadonlyArray<string>

export interface Target {
  readonly name: string
  /** What the fuzzer begins with: ordinary inputs, and some that were troublesome once. */
  readonly seeds: ReadonlyArray<Input>
  /** Pieces that mean something here. */
  readonly words: ReadonlyArray<string>
  /** Tries an input: a short word for what came of it. It throws where something does not hold. */
  /** How often it goes through its whole input, where that is more than once. */
  readonly passes?: number
  /** Costs so much that few inputs are tried in the tests. */
  readonly brief?: boolean
  readonly attempt: (input: Input) => string | Promise<string>
}

/** Something that has to hold and does not. */
export class Broken extends Error {}

export const mustHold = (holds: boolean, what: string): void => {
  if (!holds) throw new Broken(what)
}

export const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, "latin1")

/** A message without what changes from input to input, so that few inputs come to the same. */
export const shapeOf = (message: string): string => message.replace(/\d+/g, "#").slice(0, 60)

/** What is left of an object's and an array's prototypes when nobody has touched them. */
const prototypeKeys = (): string =>
  [Object.prototype, Array.prototype].map((prototype) => Reflect.ownKeys(prototype).length).join()
const untouched = prototypeKeys()

export const mustBeUnpolluted = (): void => mustHold(prototypeKeys() === untouched, "a prototype was changed")

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/

/** What a person reads must have no control character. */
export const mustBePlain = (text: string, what: string): void =>
  mustHold(!control.test(text), `${what} has a control character`)
