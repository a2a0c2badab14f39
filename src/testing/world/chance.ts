/** Seeded chance: the same numbers for the same seed, on every machine and version of Node. */
import type { Random } from "effect"

/** A 32-bit hash of a text (FNV-1a, then mixed), so that seeds that differ a little give streams that differ much. */
const hashText = (text: string, salt: number): number => {
  let hash = 0x811c9dc5 ^ salt
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A generator of its own (Chris Doty-Humphrey's sfc32), with the draws that a world needs. */
export class Chance {
  private readonly seed: string
  private a: number
  private b: number
  private c: number
  private counter = 1

  constructor(seed: string) {
    this.seed = seed
    this.a = hashText(seed, 1)
    this.b = hashText(seed, 2)
    this.c = hashText(seed, 3)
    for (let i = 0; i < 12; i++) this.next()
  }

  /** A generator for one purpose: what it gives depends on the seed and its name, not on what was drawn elsewhere. */
  fork(name: string): Chance {
    return new Chance(`${this.seed}/${name}`)
  }

  /** 0 (inclusive) to 1 (exclusive). */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }

  /** A whole number, both ends included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** True with a probability. */
  yes(probability: number): boolean {
    return probability > 0 && this.next() < probability
  }

  /** One of some. Throws where there is none. */
  pick<A>(of: ReadonlyArray<A>): A {
    if (of.length === 0) throw new Error("nothing to pick from")
    return of[this.int(0, of.length - 1)] as A
  }

  /** A time to wait for something that happens at random, by its mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  /** The same chance as Effect's `Random` service. */
  readonly service: typeof Random.Random.Service = {
    nextIntUnsafe: () =>
      Math.floor(this.next() * (Number.MAX_SAFE_INTEGER - Number.MIN_SAFE_INTEGER + 1)) + Number.MIN_SAFE_INTEGER,
    nextDoubleUnsafe: () => this.next()
  }
}
