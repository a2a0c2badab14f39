/** Deliberate mistakes in replays of what was abandoned. */
import { Effect } from "effect"
import { jsonOf } from "../eventRecords.ts"
import { foreignStream } from "../hostile.ts"
import type { Bug } from "../simulate.ts"
import { type Args, redisBug, replayOf, repliesInstead, scriptOf } from "./wrongly.ts"

export const replayBugs: ReadonlyArray<Bug> = [
  redisBug(
    "replay-removes-first",
    "removed-undone",
    "replays in two steps, the abandoned entry deleted first",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { fields, from, id, to } = replayOf(args)
      return Effect.flatMap(send("XDEL", from, id), (removed) =>
        removed === 0 ? Effect.succeed(null) : send("XADD", to, "*", ...fields)
      )
    }
  ),
  redisBug("replay-adds-first", "copied-twice", "replays in two steps, the copy first", () => (send, name, args) => {
    if (scriptOf(name, args) !== "replay") return undefined
    const { fields, from, id, to } = replayOf(args)
    return Effect.tap(send("XADD", to, "*", ...fields), () => send("XDEL", from, id))
  }),
  redisBug(
    "replay-keeps-attempts",
    "replayed-wrongly",
    "replays into the DLQ, with the attempts made so far",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { fields, from, id, marks, seconds } = replayOf(args)
      const event = Object.fromEntries(fields.flatMap((field, at) => (at % 2 === 0 ? [[field, fields[at + 1]]] : [])))
      return Effect.flatMap(send<ReadonlyArray<readonly [string, Args]>>("XRANGE", from, id, id), ([entry]) => {
        const { abandoned_at: failed, attempts, ...about } = jsonOf(entry?.[1] ?? [], "abandoned")
        const attempt = Math.max(1, Math.min(3, Number(attempts)))
        const retry = JSON.stringify({ ...about, attempt, not_before: failed, last_failed_at: failed })
        const copy = ["retry", retry, "event", JSON.stringify(event)]
        return send(name, args[0] ?? "", "3", from, from.replace(/abandoned$/, "dlq"), marks, id, seconds, ...copy)
      })
    }
  ),
  redisBug("replay-renames", "replayed-wrongly", "replays an event under a new id", () => {
    let serial = 0
    return (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { fields } = replayOf(args)
      const at = fields.indexOf("event_id") + 1
      if (at === 0) return undefined
      return send(name, ...args.slice(0, 7), ...fields.with(at, `${fields[at]}-again-${++serial}`))
    }
  }),
  redisBug(
    "replay-forgets-source",
    "source",
    "replays an event as if it came new",
    () => (send, name, args) => (scriptOf(name, args) === "replay" ? send(name, ...args.slice(0, -2)) : undefined)
  ),
  redisBug(
    "replay-forgets-history",
    "history",
    "replays an event without the attempts made before",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const [mark = "{}"] = args.slice(-1)
      return send(name, ...args.slice(0, -1), JSON.stringify({ ...JSON.parse(mark), history: [] }))
    }
  ),
  redisBug(
    "replay-unmarked",
    "abandoned-wrongly",
    "does not remember what a replay put back",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "replay") return undefined
      const { marks } = replayOf(args)
      return send(name, ...args.map((arg) => (arg === marks ? `${marks}:nowhere` : arg)))
    }
  ),
  redisBug("forged-origin-followed", "unexpected", "replays into whatever stream an abandoned entry names", () =>
    repliesInstead((text) =>
      text.replaceAll(`"origin_stream":"${foreignStream}"`, '"origin_stream":"{sim}:transcribe"')
    )
  )
]
