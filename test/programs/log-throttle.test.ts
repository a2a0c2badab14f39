import { describe, expect, it } from "vitest"
import { LogThrottle } from "../../src/programs/redis/logThrottle.ts"

describe("what goes on", () => {
  it("is said at once, after 10 seconds, after another minute, then every 5 minutes, with how often it happened", () => {
    const limit = new LogThrottle()
    const said: Array<readonly [number, number]> = []
    for (let at = 0; at <= 900_000; at += 1_000) {
      const times = limit.ongoing("outage", at)
      if (times > 0) said.push([at / 1_000, times])
    }
    expect(said).toEqual([
      [0, 1],
      [10, 10],
      [70, 60],
      [370, 300],
      [670, 300]
    ])
  })

  it("is new after a minute of quiet, and another thing is said on its own", () => {
    const limit = new LogThrottle()
    expect(limit.ongoing("a", 0)).toBe(1)
    expect(limit.ongoing("b", 1)).toBe(1)
    expect(limit.ongoing("a", 2)).toBe(0)
    expect(limit.ongoing("a", 60_001)).toBeGreaterThan(0)
    expect(limit.ongoing("a", 125_000)).toBe(1)
  })
})

describe("many of a kind", () => {
  it("are said up to the most a minute, and the next minute's first line says how many were left out", () => {
    const limit = new LogThrottle()
    const first = Array.from({ length: 5 }, (_, at) => limit.repeated("lost", 3, at))
    expect(first).toEqual([{ leftOut: 0 }, { leftOut: 0 }, { leftOut: 0 }, undefined, undefined])
    expect(limit.repeated("lost", 3, 60_000)).toEqual({ leftOut: 2 })
    expect(limit.repeated("lost", 3, 60_001)).toEqual({ leftOut: 0 })
  })
})
