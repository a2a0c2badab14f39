/** What is told by itself, and how it reads (contract section 8, "Told by itself"). */
import type { Redacted } from "effect"
import type { Happening } from "../delivery/happening.ts"
import { instant } from "../events/instant.ts"
import { cut } from "../text/printable.ts"
import type { TurnAsked } from "./turn.ts"

export const alertFormats = ["json", "slack"] as const

/** `slack`: what Slack's incoming webhooks take, and those of chats that understand the same. */
export type AlertFormat = (typeof alertFormats)[number]

export interface AlertOptions {
  /** Where alerts are posted. Whoever knows a chat's address may write there, so it is shown nowhere. */
  readonly url: Redacted.Redacted<string>
  readonly format: AlertFormat
}

/** What happened, as it is told: of each `turn` the latest, with how many were left out. */
export interface Alert {
  readonly kind: "health" | "circuit" | "abandoned" | "config" | "reload"
  /** What it shares the right to be told with. */
  readonly turn: string
  /** How often that is. */
  readonly rule: Omit<TurnAsked, "count">
  readonly at: number
  readonly details: Readonly<Record<string, unknown>>
  /** For a person; `count` is how many happened and were not told, this one included. */
  readonly text: (count: number) => string
}

const minute = 60_000
/** The first of a reason, then how many since. */
const abandonedMs = 5 * minute
/** What is refused or fails at every tick is no news at each. */
const sameAgainMs = 60 * minute

const longest = 300

const once = (what: string, lastsMs = minute) => ({ what, windowMs: minute, lastsMs, counted: false })

const because = (code: string | undefined, message: string | undefined): string =>
  code === undefined ? "" : `: ${code}${message === undefined || message === "" ? "" : `: ${cut(message, longest)}`}`

const errorOf = (code: string | undefined, message: string | undefined) => ({
  error_code: code,
  error_message: message === undefined ? undefined : cut(message, longest)
})

const circuit = (at: number, partition: string | undefined, state: "open" | "closed", failure: string): Alert => {
  const of = partition === undefined ? "the API" : partition
  const text =
    state === "open"
      ? `The circuit of ${of} is open: its deliveries wait until a probe succeeds${failure}`
      : `The circuit of ${of} is closed: its deliveries go on`
  return {
    kind: "circuit",
    turn: partition === undefined ? "circuit:api" : "circuit:partition",
    rule: once(`${state} ${of}`),
    at,
    details: { state, partition },
    text: () => text
  }
}

/** What is told of a happening; undefined where it is nobody's alarm. */
export const alertOf = (happening: Happening): Alert | undefined => {
  switch (happening._tag) {
    case "HealthChanged": {
      const { at, status, troubles, was } = happening
      // A start that goes well is no news.
      if (was === "starting" && status === "ok") return undefined
      const why = troubles === "" ? "" : ` (${troubles})`
      return {
        kind: "health",
        turn: "health",
        rule: once(`${was} ${status}`),
        at,
        details: { status, was, checks: troubles },
        text: () => `Health is ${status}${why}; it was ${was}`
      }
    }
    case "CircuitOpened": {
      const { at, errorCode, errorMessage, partition } = happening
      const alert = circuit(at, partition, "open", because(errorCode, errorMessage))
      return { ...alert, details: { ...alert.details, ...errorOf(errorCode, errorMessage) } }
    }
    case "CircuitClosed":
      return circuit(happening.at, happening.partition, "closed", "")
    case "Abandoned": {
      const { at, attempts, errorCode, errorMessage, eventId, reason, stream } = happening
      const event = eventId === undefined ? "an event" : `event ${eventId}`
      return {
        kind: "abandoned",
        turn: `abandoned:${reason}`,
        rule: { what: reason, windowMs: abandonedMs, lastsMs: abandonedMs, counted: true },
        at,
        details: { reason, event_id: eventId, stream, attempts, ...errorOf(errorCode, errorMessage) },
        text: (count) =>
          count > 1
            ? `${count} events were abandoned as ${reason}, the last of them ${eventId ?? "without an id"}${because(errorCode, errorMessage)}`
            : `${event} was abandoned as ${reason}${because(errorCode, errorMessage)}`.replace(/^./, (first) =>
                first.toUpperCase()
              )
      }
    }
    case "ConfigInstalled": {
      const { at, before, generation, version } = happening
      const change = before === version ? `version ${version} again` : `version ${before ?? 0} → ${version}`
      return {
        kind: "config",
        turn: "config:changed",
        rule: once(change),
        at,
        details: { outcome: "changed", version, before, generation },
        text: () => `The configuration was changed: ${change}`
      }
    }
    case "ConfigRefused": {
      const { at, problem, rule, version } = happening
      return {
        kind: "config",
        turn: "config:refused",
        rule: once(`${version ?? ""} ${rule} ${problem}`, sameAgainMs),
        at,
        details: { outcome: "refused", version, rule, problem: cut(problem, longest) },
        text: () =>
          `A configuration${version === undefined ? "" : `, version ${version},`} was refused: ${cut(problem, longest)}`
      }
    }
    case "ReloadFailed": {
      const { at, generation, problem } = happening
      return {
        kind: "reload",
        turn: "reload",
        rule: once(`${generation} ${problem}`, sameAgainMs),
        at,
        details: { generation, problem: cut(problem, longest) },
        text: () => `The gateway was not told of a new configuration: ${cut(problem, longest)}`
      }
    }
    default:
      return undefined
  }
}

/** Who tells it. */
export interface Teller {
  readonly service: string
  readonly group: string
  readonly replica: string
}

/** What is posted. */
export const alertBody = (
  { at, details, kind, rule, text }: Alert,
  count: number,
  { group, replica, service }: Teller,
  format: AlertFormat
): string => {
  const left_out = rule.counted ? 0 : Math.max(0, count - 1)
  const omitted = left_out === 0 ? "" : ` (${left_out} more since the last, left out)`
  const words = `${text(count)}${omitted}`
  if (format === "slack") return JSON.stringify({ text: slackText(`[${service} ${group} ${replica}] ${words}`) })
  const counted = rule.counted ? { count: Math.max(1, count) } : undefined
  return JSON.stringify({
    kind,
    at: instant(at),
    text: words,
    service,
    group,
    replica,
    left_out,
    details: { ...details, ...counted }
  })
}

/** What Slack would take for a mention or a link stands as it is written. */
const slackText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
