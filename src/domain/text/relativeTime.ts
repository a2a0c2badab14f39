/** Times as a person at a terminal reads them: how long ago, how long still. */

const units: ReadonlyArray<readonly [name: string, millis: number]> = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000]
]

/** A span in its largest unit, rounded down: `3h`; below a second `0s`. */
export const shortSpan = (millis: number): string => {
  const [name, size] = units.find(([, unit]) => millis >= unit) ?? ["s", 1_000]
  return `${Math.floor(Math.max(0, millis) / size)}${name}`
}

/** A span in its two largest units: `1h 04m`, `2m 30s`, `12s`. */
export const longSpan = (millis: number): string => {
  const at = units.findIndex(([, unit]) => millis >= unit)
  const first = units[at]
  if (first === undefined) return "0s"
  const [name, size] = first
  const next = units[at + 1]
  const whole = Math.floor(millis / size)
  if (next === undefined) return `${whole}${name}`
  return `${whole}${name} ${String(Math.floor((millis - whole * size) / next[1])).padStart(2, "0")}${next[0]}`
}
