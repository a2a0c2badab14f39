/** Deliberate mistakes in who has an entry: reading, holding, taking over, acknowledging, giving up. */
import { Effect } from "effect"
import type { Bug } from "../simulate.ts"
import { isOwnPendingRead, redisBug, scriptOf } from "./wrongly.ts"

export const ownershipBugs: ReadonlyArray<Bug> = [
  redisBug(
    "acknowledge-first",
    "acknowledged-undone",
    "acknowledges what it reads before it is delivered",
    () => (send, name, args) =>
      name !== "XREADGROUP"
        ? undefined
        : Effect.tap(send<ReadonlyArray<[string, ReadonlyArray<[string, unknown]>]> | null>(name, ...args), (reply) =>
            Effect.forEach(reply ?? [], ([stream, entries]) =>
              send("XACK", stream, args[1] ?? "", ...entries.map(([id]) => id))
            )
          )
  ),
  redisBug(
    "no-keep-alive",
    "stolen",
    "does not renew what it holds",
    () => (_send, name, args) => (scriptOf(name, args) === "renew" ? Effect.succeed([[], []]) : undefined)
  ),
  redisBug(
    "no-reread",
    "forgotten",
    "does not read its own pending entries again after a reconnect",
    () => (_send, name, args) => (isOwnPendingRead(name, args) && args[2] === "-" ? Effect.succeed([]) : undefined)
  ),
  redisBug(
    "no-take-over",
    "lost",
    "takes over nothing from a replica that is gone",
    () => (_send, name) => (name === "XAUTOCLAIM" ? Effect.succeed(["0-0", [], []]) : undefined)
  ),
  redisBug(
    "take-over-at-once",
    "stolen",
    "takes over what is not idle for long",
    () => (send, name, args) =>
      name === "XAUTOCLAIM" ? send(name, ...args.slice(0, 3), "1000", ...args.slice(4)) : undefined
  ),
  redisBug(
    "steals-back",
    "stolen",
    "keeps alive with XCLAIM alone, without asking who owns the entry",
    () => (send, name, args) => {
      if (scriptOf(name, args) !== "renew") return undefined
      const [stream = "", group = "", consumer = "", ...ids] = args.slice(2)
      return ids.length === 0
        ? Effect.succeed([[], []])
        : Effect.as(send("XCLAIM", stream, group, consumer, "0", ...ids, "JUSTID"), [[], []])
    }
  ),
  redisBug("swallowed-acknowledgement", "forgotten", "believes an acknowledgement that Redis never got", () => {
    let serial = 0
    return (_send, name, args) => (name === "XACK" && ++serial % 20 === 0 ? Effect.succeed(args.length - 2) : undefined)
  }),
  redisBug(
    "group-at-end",
    "lost",
    "creates a group that is gone at the stream's end",
    () => (send, name, args) =>
      name === "XGROUP" && args[0] === "CREATE" ? send(name, ...args.slice(0, 3), "$", ...args.slice(4)) : undefined
  ),
  redisBug(
    "trims-pending",
    "lost",
    "trims the streams to their last entries, whatever is pending",
    () => (send, name, args) =>
      scriptOf(name, args) === "trim"
        ? Effect.andThen(send("XTRIM", args[2] ?? "", "MAXLEN", "0"), send(name, ...args))
        : undefined
  ),
  redisBug(
    "no-release",
    "not-released",
    "gives up nothing when it stops",
    () => (_send, name, args) => (scriptOf(name, args) === "release" ? Effect.succeed(0) : undefined)
  ),
  redisBug(
    "poison-uncounted",
    "poison",
    "does not count the hand-outs of what it takes up again",
    () => (send, name, args) => (scriptOf(name, args) === "take" ? send(name, ...args.slice(0, -1), "0") : undefined)
  ),
  redisBug(
    "dlq-not-acknowledged",
    "undrained",
    "deletes finished DLQ entries without acknowledging them",
    () => (send, name, args) =>
      scriptOf(name, args) === "finish" ? send("XDEL", args[2] ?? "", ...args.slice(4)) : undefined
  ),
  {
    name: "unbounded",
    rule: "concurrency",
    wrong: "works on more than it should at a time",
    settings: { deliveryConcurrency: 200 }
  },
  redisBug("takes-over-once", "lost", "takes over once only", () => {
    let done = false
    return (send, name, args) => {
      if (name !== "XAUTOCLAIM") return undefined
      if (done) return Effect.succeed(["0-0", [], []])
      return Effect.tap(send<readonly [string, ReadonlyArray<unknown>]>(name, ...args), ([, entries]) =>
        Effect.sync(() => {
          done ||= entries.length > 0
        })
      )
    }
  }),
  redisBug(
    "hand-outs-multiplied",
    "abandoned-wrongly",
    "counts each hand-out several times",
    () => (send, name, args) =>
      scriptOf(name, args) === "take" ? send(name, ...args.slice(0, -1), String(11 * Number(args.at(-1)))) : undefined
  ),
  redisBug(
    "dlq-kept",
    "stranded",
    "acknowledges finished DLQ entries without deleting them",
    () => (send, name, args) =>
      scriptOf(name, args) === "finish" ? send("XACK", args[2] ?? "", args[3] ?? "", ...args.slice(4)) : undefined
  ),
  redisBug(
    "reads-without-bound",
    "concurrency",
    "reads whatever there is, however much it has",
    () => (send, name, args) => {
      const at = args.indexOf("COUNT")
      return name === "XREADGROUP" && at >= 0 ? send(name, ...args.with(at + 1, "10000")) : undefined
    }
  )
]
