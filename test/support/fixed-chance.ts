import { Effect, Random } from "effect"

/** Runs an effect in a world whose chance is always the same, from 0 up to 1. */
export const fixedChance = (chance: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => chance, nextIntUnsafe: () => 0 })
