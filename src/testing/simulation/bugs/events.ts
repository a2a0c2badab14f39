/** Deliberate mistakes in reading events and in keeping them, in the DLQ and when they are given up. */
import { jsonOf } from "../eventRecords.ts"
import type { Bug } from "../simulate.ts"
import { type Args, changingRetry, isToDlq, moveOf, moving, redisBug, repliesInstead, scriptOf } from "./wrongly.ts"

const isToAbandoned = (args: Args): boolean => moveOf(args).fields[0] === "abandoned"

/** A move to the abandoned stream with what it says of the end changed. */
const changingEnd = (args: Args, change: Readonly<Record<string, unknown>>): Args => {
  const { fields } = moveOf(args)
  return moving(args, ["abandoned", JSON.stringify({ ...jsonOf(fields, "abandoned"), ...change }), ...fields.slice(2)])
}

const fieldOf = (fields: Args, name: string): string => fields[fields.indexOf(name) + 1] ?? "{}"

export const eventBugs: ReadonlyArray<Bug> = [
  redisBug("seconds-truncated", "credits", "reads whole seconds of audio only", () =>
    repliesInstead((text) => (/^\d+\.\d{3}$/.test(text) ? text.slice(0, -4) : text))
  ),
  redisBug("time-made-up", "invalid-sent", "puts a time where an event has none that can be read", () =>
    repliesInstead((text, now) => (text === "yesterday" ? String(now - 10_000) : text))
  ),
  redisBug(
    "attributes-lost",
    "body-changed",
    "keeps only the fields of an event that it knows",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { note: _, ...event } = jsonOf(moveOf(args).fields, "event")
      return send(name, ...moving(args, [...moveOf(args).fields.slice(0, 2), "event", JSON.stringify(event)]))
    }
  ),
  redisBug(
    "origin-forgotten",
    "source",
    "takes the entry that it read last for the one where an event came from",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { id } = moveOf(args)
      return send(name, ...changingRetry(args, { origin_id: id }))
    }
  ),
  redisBug(
    "gives-up-early",
    "abandoned-wrongly",
    "gives an event up after three attempts",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { fields, to } = moveOf(args)
      const { attempt, history, last_failed_at: failed, not_before: _, ...about } = jsonOf(fields, "retry")
      if (attempt !== 3) return undefined
      const abandoned = JSON.stringify({ ...about, reason: "exhausted", attempts: attempt, abandoned_at: failed })
      const entry = ["abandoned", abandoned, "event", fieldOf(fields, "event"), "history", JSON.stringify(history)]
      return send(name, ...moving(args, entry, to.replace(/dlq$/, "abandoned")))
    }
  ),
  redisBug("never-gives-up", "attempt-count", "attempts a fifth time, and so on", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move" || !isToAbandoned(args)) return undefined
    const { fields, to } = moveOf(args)
    const { abandoned_at: failed, attempts, reason, ...about } = jsonOf(fields, "abandoned")
    if (reason !== "exhausted") return undefined
    const history: unknown = JSON.parse(fieldOf(fields, "history"))
    const due = Number(failed) + 45_000
    const retry = JSON.stringify({ ...about, attempt: 3, not_before: due, last_failed_at: failed, history })
    return send(
      name,
      ...moving(args, ["retry", retry, "event", fieldOf(fields, "event")], to.replace(/abandoned$/, "dlq"))
    )
  }),
  redisBug(
    "one-reason-for-all",
    "abandoned-wrongly",
    "says of a rejected event that its attempts were used up",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToAbandoned(args)) return undefined
      const { reason } = jsonOf(moveOf(args).fields, "abandoned")
      return reason === "rejected" ? send(name, ...changingEnd(args, { reason: "exhausted" })) : undefined
    }
  ),
  redisBug(
    "origins-mixed-up",
    "replayed-wrongly",
    "keeps another stream as the one that an event came from",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToAbandoned(args)) return undefined
      const origin = String(jsonOf(moveOf(args).fields, "abandoned").origin_stream)
      return origin.endsWith(":transcribe")
        ? send(name, ...changingEnd(args, { origin_stream: origin.replace(/transcribe$/, "process") }))
        : undefined
    }
  ),
  redisBug(
    "aside-for-another",
    "set-aside-wrongly",
    "says of another user that it held an event up",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const isAside = jsonOf(moveOf(args).fields, "retry").set_aside !== undefined
      return isAside ? send(name, ...changingRetry(args, { partition: "user_id=nobody" })) : undefined
    }
  ),
  redisBug(
    "aside-is-an-attempt",
    "history",
    "tells of an attempt where an event was set aside",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { history, last_failed_at: at, set_aside: reason } = jsonOf(moveOf(args).fields, "retry")
      if (reason === undefined) return undefined
      const none = { at, status: null, error_code: "SET_ASIDE", message: "", duration_ms: 0, replica: "nobody" }
      return send(name, ...changingRetry(args, { history: [...(Array.isArray(history) ? history : []), none] }))
    }
  ),
  redisBug(
    "late-retry",
    "retry-delay",
    "waits ten seconds longer before a retry than it says",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { not_before: due, set_aside: reason } = jsonOf(moveOf(args).fields, "retry")
      return reason === undefined ? send(name, ...changingRetry(args, { not_before: Number(due) + 10_000 })) : undefined
    }
  )
]
