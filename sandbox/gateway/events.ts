import { createHash } from "node:crypto"
import { Effect, Random } from "effect"

/** An event as the gateway adds it to one of its streams. */
export interface ProducedEvent {
  readonly eventId: string
  readonly kind: "transcribe" | "process"
  /** Name, value, name, value, … */
  readonly fields: ReadonlyArray<string>
  /** The gateway adds it twice, as a producer does whose first XADD was done but not answered. */
  readonly twice: boolean
  /** What is wrong with it, if anything: what should become of it. */
  readonly flaw: Flaw | undefined
}

/** `invalid`: breaks a rule, is never sent. `unknown-user`: the API refuses it for good. */
export type Flaw = "invalid" | "unknown-user"

/** The users that the sandbox's database is filled with. */
export const users: ReadonlyArray<string> = Array.from({ length: 24 }, (_, i) => `user-${`${i + 1}`.padStart(3, "0")}`)

/** Users without credits: their jobs are refused (402) until they have some, or until the retries are used up. */
export const usersWithoutCredits = ["user-tops-up-late", "user-never-tops-up"] as const

const sentences = [
  "The meeting moved to Thursday, everything else stays as planned.",
  "Please send the report once the figures are in.",
  "Two orders were delivered, the third is on its way.",
  "The patient slept well and has no fever.",
  "We agreed to review the draft next week."
]

const languages = ["en", "de", "fr", "es", "pl"]

/** One of a list that is not empty. */
const pick = <A>(list: ReadonlyArray<A>): Effect.Effect<A> =>
  Effect.map(Random.nextIntBetween(0, list.length, { halfOpen: true }), (at) => list[at]!)

/** So many events lie between two with a flaw of the same kind. */
const EVERY = { invalid: 97, unknownUser: 211, twice: 83, poor: 151 } as const

/** After so many events nobody is short of credits any more: a refusal takes more than a minute to be given up. */
const LAST_POOR = 400

/**
 * The n-th event of a seed: the same for the same seed, number and time, whatever came before. Two thirds are
 * transcriptions; sessions have several events; a quarter come in the one-field JSON form.
 */
export const eventOf = (seed: string, number: number, now: number): Effect.Effect<ProducedEvent> =>
  Effect.gen(function* () {
    const eventId = `evt-${seed}-${`${number}`.padStart(6, "0")}`
    const flaw: Flaw | undefined =
      number % EVERY.invalid === 50 ? "invalid" : number % EVERY.unknownUser === 60 ? "unknown-user" : undefined
    const user =
      flaw === "unknown-user"
        ? `user-nobody-${number}`
        : number < LAST_POOR && number % EVERY.poor === 70
          ? usersWithoutCredits[number % 2]!
          : yield* pick(users)
    const session = `session-${user}-${yield* Random.nextIntBetween(1, 9)}`
    const language = yield* pick(languages)
    const metadata = JSON.stringify({
      session_id: flaw === "invalid" ? "another-session" : session,
      language,
      confidence: Math.round(yield* Random.nextBetween(800, 1_000)) / 1_000
    })
    const took = Math.round(yield* Random.nextBetween(200, 9_000))
    const common = {
      event_id: eventId,
      user_id: user,
      device_id: `device-${yield* Random.nextIntBetween(1, 200)}`,
      session_id: session,
      started_at: new Date(now - took).toISOString(),
      completed_at: new Date(now).toISOString()
    }
    const transcribe = (yield* Random.next) < 2 / 3
    // Most clips are short, a few are long.
    const seconds = Math.round(1_000 * Math.exp(yield* Random.nextBetween(0, 6.2))) / 1_000
    const prompt = yield* Random.nextIntBetween(20, 3_000)
    const completion = yield* Random.nextIntBetween(1, 900)
    const sentence = yield* pick(sentences)
    const own: Readonly<Record<string, string | number>> = transcribe
      ? { audio_seconds: seconds, model: "whisper-1", channel: number % 2 }
      : {
          model: (yield* Random.nextBoolean) ? "gpt-4o" : "gpt-4o-mini",
          result: number % 5 === 0 ? JSON.stringify({ summary: sentence }) : sentence,
          prompt_tokens: prompt,
          completion_tokens: completion,
          total_tokens: prompt + completion
        }
    const asData = number % 4 === 3
    const fields = asData
      ? ["data", JSON.stringify({ ...common, ...own, metadata: JSON.parse(metadata) })]
      : Object.entries({
          ...common,
          ...own,
          metadata,
          metadata_sha256: createHash("sha256").update(metadata).digest("hex")
        }).flatMap(([name, value]) => [name, `${value}`])
    return {
      eventId,
      kind: transcribe ? ("transcribe" as const) : ("process" as const),
      fields,
      twice: number % EVERY.twice === 40,
      flaw
    }
  }).pipe(Random.withSeed(`${seed}/${number}`))
