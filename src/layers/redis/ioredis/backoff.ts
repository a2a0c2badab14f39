const FIRST_DELAY = 50
const LONGEST_DELAY = 2_000

/** Milliseconds before the next attempt after `failures` failed ones: doubling from 50 ms to 2 s, half of it by chance. */
export const backoff = (failures: number): number => {
  const most = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** Math.min(failures, 10))
  return most / 2 + Math.random() * (most / 2)
}
