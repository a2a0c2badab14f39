/** What a command did to the streams, read from the command and its reply. */
import { scriptName } from "../../services/Scripts.ts"
import type { Process } from "../world/process.ts"
import type { Executed, RedisNetwork } from "../world/redis.ts"

export type StreamEvent =
  | {
      readonly _tag: "Added"
      readonly stream: string
      readonly id: string
      readonly fields: ReadonlyArray<string>
    }
  /** Acknowledged: each was pending. */
  | { readonly _tag: "Acknowledged"; readonly stream: string; readonly ids: ReadonlyArray<string> }
  | {
      readonly _tag: "Moved"
      readonly from: string
      readonly id: string
      readonly consumer: string
      readonly to: string
      readonly newId: string
      readonly fields: ReadonlyArray<string>
    }
  | {
      readonly _tag: "Claimed"
      readonly stream: string
      readonly ids: ReadonlyArray<string>
      /** Least idle time asked for, in milliseconds. */
      readonly idle: number
    }
  | { readonly _tag: "Trimmed"; readonly stream: string }
  /** Deleted, as far as they were there. */
  | { readonly _tag: "Removed"; readonly stream: string; readonly ids: ReadonlyArray<string> }
  /** Put back from the abandoned stream. */
  | {
      readonly _tag: "Replayed"
      readonly from: string
      readonly id: string
      readonly to: string
      readonly newId: string
      readonly fields: ReadonlyArray<string>
    }

export type Teller = (streamEvent: StreamEvent, process: Process | undefined) => void

const lastId = (redis: RedisNetwork, stream: string): string => {
  const found = redis.look("XREVRANGE", stream, "+", "-", "COUNT", "1")
  return Array.isArray(found) ? String(found[0]?.[0] ?? "") : ""
}

/** Whether an entry is pending for a group, whoever owns it. */
export const isPending = (redis: RedisNetwork, stream: string, group: string, id: string): boolean => {
  const found = redis.look("XPENDING", stream, group, id, id, "1")
  return Array.isArray(found) && found.length > 0
}

/** Which of these are pending now: asked before a command that acknowledges them. */
const pendingOf = (redis: RedisNetwork, stream: string, group: string, ids: ReadonlyArray<string>) =>
  ids.filter((id) => isPending(redis, stream, group, id))

/** The audit is no stream of events. */
const isAudit = (stream = ""): boolean => stream.endsWith(":audit")

/** Reads commands one after the other; `before` sees each before it runs. */
export class Reader {
  private readonly redis: RedisNetwork
  private readonly tell: Teller
  private acknowledged: ReadonlyArray<string> = []

  constructor(redis: RedisNetwork, tell: Teller) {
    this.redis = redis
    this.tell = tell
  }

  before(name: string, args: ReadonlyArray<string>): void {
    if (name === "XACK") this.acknowledged = pendingOf(this.redis, args[0] ?? "", args[1] ?? "", args.slice(2))
    else if (name === "EVAL" && scriptName(args[0] ?? "") === "finish") {
      this.acknowledged = pendingOf(this.redis, args[2] ?? "", args[3] ?? "", args.slice(4))
    } else if (name === "EVAL" && scriptName(args[0] ?? "") === "conclude") {
      const keys = Number(args[1])
      const ids = args.slice(5 + keys).filter((_, at) => at % 2 === 0)
      this.acknowledged = pendingOf(this.redis, args[2] ?? "", args[2 + keys] ?? "", ids)
    }
  }

  after({ args, name, process, reply }: Executed): void {
    if (reply === undefined) return
    if (name === "XADD" && process !== undefined && !isAudit(args[0])) {
      const at = args.indexOf("*")
      this.tell({ _tag: "Added", stream: args[0] ?? "", id: String(reply), fields: args.slice(at + 1) }, process)
    } else if (name === "XACK") {
      this.tell({ _tag: "Acknowledged", stream: args[0] ?? "", ids: this.acknowledged }, process)
    } else if (name === "XDEL") {
      this.tell({ _tag: "Removed", stream: args[0] ?? "", ids: args.slice(1) }, process)
    } else if (name === "XAUTOCLAIM" && Array.isArray(reply)) {
      const ids = Array.isArray(reply[1]) ? reply[1].map(String) : []
      if (ids.length > 0) this.tell({ _tag: "Claimed", stream: args[0] ?? "", ids, idle: Number(args[3]) }, process)
    } else if (name === "XCLAIM" && Array.isArray(reply) && reply.length > 0) {
      const ids = reply.map((entry) => String(Array.isArray(entry) ? entry[0] : entry))
      this.tell({ _tag: "Claimed", stream: args[0] ?? "", ids, idle: Number(args[3]) }, process)
    } else if (name === "EVAL") this.script(args, process, reply)
  }

  private script(args: ReadonlyArray<string>, process: Process | undefined, reply: unknown): void {
    const name = scriptName(args[0] ?? "")
    if (name === "finish" || name === "conclude") {
      this.tell({ _tag: "Acknowledged", stream: args[2] ?? "", ids: this.acknowledged }, process)
    } else if (name === "trim" && Number(reply) > 0) {
      this.tell({ _tag: "Trimmed", stream: args[2] ?? "" }, process)
    } else if (name === "move" && Number(reply) === 1) {
      const [from = "", to = "", , consumer = "", id = "", , ...fields] = args.slice(2)
      this.tell({ _tag: "Moved", from, id, consumer, to, newId: lastId(this.redis, to), fields }, process)
    } else if (name === "replay" && typeof reply === "string") {
      const [from = "", to = "", , id = "", , ...fields] = args.slice(2)
      this.tell({ _tag: "Replayed", from, id, to, newId: reply, fields }, process)
    }
  }
}
