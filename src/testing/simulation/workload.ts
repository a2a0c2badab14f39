/** The events of a simulation: good ones, and every sort of bad one, at a rate with bursts. */
import type { Chance } from "../world/chance.ts"
import type { World } from "../world/world.ts"
import { forgedAbandoned, forgedRetry, hostileFields, oversizeFields } from "./hostile.ts"
import type { Nature, Produced, Scenario } from "./scenario.ts"

type Fields = Record<string, string>

const common = (eventId: string, now: number, chance: Chance): Fields => {
  const session = `session-${chance.int(1, 50)}`
  return {
    event_id: eventId,
    user_id: `user-${chance.int(1, 20)}`,
    device_id: `device-${chance.int(1, 40)}`,
    session_id: session,
    started_at: chance.yes(0.5) ? new Date(now - 10_000).toISOString() : String(now - 10_000),
    completed_at: new Date(now).toISOString(),
    ...(chance.yes(0.5) ? { metadata: JSON.stringify({ session_id: session, language: "en" }) } : {}),
    ...(chance.yes(0.1) ? { note: "kept as an attribute" } : {})
  }
}

const transcription = (chance: Chance): Fields => ({
  audio_seconds: chance.yes(0.5) ? String(chance.int(0, 600)) : (chance.next() * 60).toFixed(3),
  model: "whisper-1"
})

const processing = (chance: Chance): Fields => {
  const prompt = chance.int(0, 4_000)
  const completion = chance.int(0, 1_000)
  return {
    model: "gpt-4o",
    result: '{"summary":"fine"}',
    prompt_tokens: String(prompt),
    completion_tokens: String(completion),
    total_tokens: String(prompt + completion)
  }
}

/** By so much an event is ahead of its time, in milliseconds, where it is invalid for that. */
const aheadMs = 3_600_000

/** Breaks one rule of the contract's table. */
const spoil = (fields: Fields, now: number, chance: Chance): ReadonlyArray<string> => {
  const spoilers: readonly [() => ReadonlyArray<string>, ...ReadonlyArray<() => ReadonlyArray<string>>] = [
    () =>
      Object.entries(fields)
        .filter(([name]) => name !== "user_id")
        .flat(),
    () => Object.entries({ ...fields, completed_at: new Date(now + aheadMs).toISOString() }).flat(),
    () => Object.entries({ ...fields, started_at: "yesterday" }).flat(),
    () => Object.entries({ ...fields, metadata: '{"session_id":"another"}' }).flat(),
    () => Object.entries({ ...fields, metadata: "{" }).flat(),
    () => [...Object.entries(fields).flat(), "device_id", "twice"],
    () => [...Object.entries(fields).flat(), "__proto__", "x"],
    () => ["data", "not JSON"],
    () => ["data", JSON.stringify({ ...fields, event_id: "" })]
  ]
  return chance.pick(spoilers)()
}

/** Fields as one JSON object in `data`, numbers as numbers. */
const asData = (fields: Fields): ReadonlyArray<string> => {
  const numeric = new Set(["audio_seconds", "prompt_tokens", "completion_tokens", "total_tokens", "started_at"])
  const entries = Object.entries(fields).map(([name, value]): [string, unknown] =>
    name === "metadata"
      ? [name, JSON.parse(value)]
      : [name, numeric.has(name) && /^[\d.]+$/.test(value) ? Number(value) : value]
  )
  return ["data", JSON.stringify(Object.fromEntries(entries))]
}

const natureOf = ({ traffic }: Scenario, chance: Chance): Nature => {
  let draw = chance.next()
  for (const [nature, share] of Object.entries(traffic.shares) as ReadonlyArray<[Nature, number]>) {
    draw -= share
    if (draw < 0) return nature
  }
  return "good"
}

/**
 * Produces events into a world from `from` on, until the scenario's end, and tells of each. What it returns produces one
 * good event more, with some fields as they are given.
 */
export const produce = (
  world: World,
  scenario: Scenario,
  from: number,
  tell: (produced: Produced) => void
): ((of?: Fields) => void) => {
  const chance = world.kernel.chance.fork("workload")
  const { streams, traffic } = scenario
  let serial = 0
  let poisons = 0
  // From a chance of its own as well, and drawn only where there is a crowd.
  const crowding = world.kernel.chance.fork("crowd")

  const one = (nature: Nature, of: Fields = {}) => {
    const eventId = `${nature}-${++serial}`
    const isTranscription = chance.yes(0.6)
    const { now } = world
    const drawn = { ...common(eventId, now, chance), ...(isTranscription ? transcription(chance) : processing(chance)) }
    const crowd = crowding.yes(traffic.crowd) ? { user_id: "user-1" } : {}
    const plain: Fields = { ...drawn, ...crowd, ...of }
    const whole = chance.yes(0.2) ? asData(plain) : Object.entries(plain).flat()
    const stream = nature === "garbled" ? streams.dlq : isTranscription ? streams.transcribe : streams.process
    const fields =
      nature === "garbled" ? ["retry", "{}", "event", "[]"] : nature === "invalid" ? spoil(plain, now, chance) : whole
    if (!world.redis.isUp) return
    const entryId = world.redis.command("XADD", stream, "*", ...fields)
    const untimely = nature === "invalid" && fields.includes(new Date(now + aheadMs).toISOString())
    if (typeof entryId === "string") tell({ eventId, nature, stream, entryId, fields, values: plain, untimely })
  }

  // From a chance of its own, so that the other events of a seed are the same without it.
  const malice = world.kernel.chance.fork("hostile producer")
  let oversize = 0

  const hostile = () => {
    const { now } = world
    const isRetry = malice.yes(0.3)
    const nature = isRetry ? "garbled" : "invalid"
    const eventId = `${nature}-hostile-${++serial}`
    const plain = { ...common(eventId, now, malice), ...transcription(malice) }
    if (!world.redis.isUp) return
    if (malice.yes(0.1)) {
      world.redis.command("XADD", streams.abandoned, "*", ...forgedAbandoned(plain, now, malice))
      return
    }
    const isOversize = !isRetry && oversize < 2 && malice.yes(0.1)
    if (isOversize) oversize += 1
    const stream = isRetry ? streams.dlq : streams.transcribe
    const fields = isRetry
      ? forgedRetry(plain, streams, now, malice)
      : isOversize
        ? oversizeFields(plain)
        : hostileFields(plain, malice)
    const entryId = world.redis.command("XADD", stream, "*", ...fields)
    if (typeof entryId === "string") tell({ eventId, nature, stream, entryId, fields, values: plain, untimely: false })
  }

  const any = () => {
    const nature = natureOf(scenario, chance)
    one(nature === "poison" && poisons++ >= 2 ? "good" : nature)
  }

  const next = () => {
    if (world.elapsed >= scenario.durationMs) return
    const burst = chance.yes(traffic.burstChance) ? chance.int(2, traffic.burst) : 1
    for (let i = 0; i < burst; i++) any()
    if (scenario.hostile.producer && malice.yes(0.15)) hostile()
    world.kernel.after(chance.exponential((burst * 1_000_000) / traffic.perSecond), undefined, next)
  }
  world.at(from, next)
  return (of) => one("good", of)
}
