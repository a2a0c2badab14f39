/** Deliberate mistakes in moves: to the DLQ, to the abandoned stream, and aside. */
import { Effect } from "effect"
import { jsonOf } from "../eventRecords.ts"
import type { Bug } from "../simulate.ts"
import { changingRetry, isToDlq, moveOf, redisBug, scriptOf } from "./wrongly.ts"

export const moveBugs: ReadonlyArray<Bug> = [
  redisBug(
    "acknowledge-then-add",
    "acknowledged-undone",
    "moves in two steps, the acknowledgement first",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move") return undefined
      const { consumer, fields, from, group, id, remove, to } = moveOf(args)
      return Effect.gen(function* () {
        const owned = yield* send<ReadonlyArray<unknown>>("XPENDING", from, group, id, id, "1", consumer)
        if (owned.length === 0) return 0
        yield* send("XACK", from, group, id)
        yield* send("XADD", to, "*", ...fields)
        if (remove === "1") yield* send("XDEL", from, id)
        return 1
      })
    }
  ),
  redisBug("add-then-acknowledge", "copied-twice", "moves in two steps, the copy first", () => (send, name, args) => {
    if (scriptOf(name, args) !== "move") return undefined
    const { consumer, fields, from, group, id, remove, to } = moveOf(args)
    return Effect.gen(function* () {
      const owned = yield* send<ReadonlyArray<unknown>>("XPENDING", from, group, id, id, "1", consumer)
      if (owned.length === 0) return 0
      yield* send("XADD", to, "*", ...fields)
      yield* send("XACK", from, group, id)
      if (remove === "1") yield* send("XDEL", from, id)
      return 1
    })
  }),
  redisBug(
    "move-unowned",
    "copied-twice",
    "moves entries that another consumer owns by now",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move") return undefined
      const { fields, from, group, id, remove, to } = moveOf(args)
      return Effect.gen(function* () {
        yield* send("XADD", to, "*", ...fields)
        yield* send("XACK", from, group, id)
        if (remove === "1") yield* send("XDEL", from, id)
        return 1
      })
    }
  ),
  redisBug(
    "retry-from-memory",
    "acknowledged-undone",
    "keeps what is to be retried in memory only",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { fields, from, group, id, to } = moveOf(args)
      const later = Effect.andThen(Effect.sleep("3 seconds"), Effect.ignore(send("XADD", to, "*", ...fields)))
      return send("XACK", from, group, id).pipe(Effect.tap(Effect.forkDetach(later)), Effect.as(1))
    }
  ),
  redisBug(
    "oversize-stalls",
    "forgotten",
    "believes that it moved an event too large to be kept whole",
    () => (_send, name, args) =>
      scriptOf(name, args) === "move" && args.includes("truncated") ? Effect.succeed(1) : undefined
  ),
  redisBug(
    "aside-forgotten",
    "acknowledged-undone",
    "believes that it set an event aside, and acknowledges it",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { fields, from, group, id } = moveOf(args)
      return jsonOf(fields, "retry").set_aside === undefined ? undefined : Effect.as(send("XACK", from, group, id), 1)
    }
  ),
  redisBug(
    "parked-counts",
    "attempt-count",
    "counts an attempt of an event that is parked",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args)) return undefined
      const { attempt, set_aside: reason } = jsonOf(moveOf(args).fields, "retry")
      return reason === "parked" ? send(name, ...changingRetry(args, { attempt: Number(attempt) + 1 })) : undefined
    }
  ),
  redisBug("refused-midway", "copied-twice", "moves by a script that Redis may refuse after its first write", () => {
    let serial = 0
    return (send, name, args) => {
      if (scriptOf(name, args) !== "move" || !isToDlq(args) || ++serial % 10 !== 0) return undefined
      const { fields, from, to } = moveOf(args)
      return Effect.andThen(send("XADD", to, "*", ...fields), send("XACK", from))
    }
  })
]
