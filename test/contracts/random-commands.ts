import * as Scripts from "../../src/services/Scripts.ts"
import { Chance } from "../../src/testing/world/chance.ts"
import { nonsense } from "./nonsense-commands.ts"

/** Chance as a run of commands needs it. */
class CommandChance extends Chance {
  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.yes(1 / times)
  }

  maybe<T>(times: number, some: ReadonlyArray<T>): ReadonlyArray<T> {
    return this.oneIn(times) ? some : []
  }
}

/** An entry that was handed out. */
interface HandOut {
  readonly key: string
  readonly group: string
  readonly consumer: string
  readonly ids: ReadonlyArray<string>
}

export type RandomCommand = readonly [name: string, ...args: ReadonlyArray<string>]

/** Streams written with small explicit ids, so that gaps, collisions, deletions and trims happen. */
const SOURCES = ["s1", "s2", "s3"]
/** Streams written with `*`. Their ids lie in the far future, where `*` only counts up, so that engines agree on them. */
const TARGETS = ["d1", "d2"]
const FAR_FUTURE = "9999999999999-1"
const GROUPS = ["g1", "g2"]
const CONSUMERS = ["alice", "bob", "carol"]
const MEMBERS = ["m1", "m2", "m3"]
const HOUR = "3600000"
const TWO_HOURS = "7200000"

/** A run of random commands over a few streams, groups and consumers: mostly sensible, some wrong in every way. */
export class RandomCommands {
  private readonly chance: CommandChance
  /** Milliseconds of the ids that are written now. */
  private now = 1
  private queued: Array<RandomCommand> = []
  /** Ids written lately, to any source. */
  private written: Array<string> = ["1-1"]
  private handedOut: Array<HandOut> = []

  constructor(seed: number) {
    this.chance = new CommandChance(`commands ${seed}`)
  }

  next(): RandomCommand {
    return this.queued.shift() ?? this.invent()
  }

  /** Learns from a reply what is pending, so that later commands meet it. */
  learn(command: RandomCommand, reply: unknown): void {
    if (command[0] !== "XREADGROUP" || !Array.isArray(reply)) return
    const [, , group = "", consumer = ""] = command
    for (const [key, entries] of reply) {
      const ids: ReadonlyArray<string> = entries.map((entry: ReadonlyArray<string>) => entry[0])
      if (ids.length > 0) this.handedOut = [...this.handedOut.slice(-15), { key, group, consumer, ids }]
    }
  }

  /** Something to work on: mostly an entry that its consumer holds, else any mixture. */
  private work(): HandOut {
    const { chance } = this
    if (this.handedOut.length === 0 || chance.oneIn(3)) {
      return { key: this.key(), group: this.groupName(), consumer: this.consumer(), ids: this.ids(3) }
    }
    const known = chance.pick(this.handedOut)
    const ids = [...known.ids.filter(() => chance.oneIn(2)), ...chance.maybe(4, this.ids(1))]
    return {
      key: known.key,
      group: known.group,
      consumer: chance.oneIn(4) ? this.consumer() : known.consumer,
      ids: ids.length === 0 ? [chance.pick(known.ids)] : ids
    }
  }

  private invent(): RandomCommand {
    const { chance } = this
    const roll = chance.int(1, 100)
    if (roll <= 22) return this.add()
    if (roll <= 36) return this.readGroup()
    if (roll <= 44) return this.acknowledge()
    if (roll <= 62) return this.script()
    if (roll <= 70) return this.claim()
    if (roll <= 78) return this.inspect()
    if (roll <= 84) return this.range()
    if (roll <= 88) return this.cut()
    if (roll <= 94) return this.group()
    if (roll <= 98) return this.keys()
    return chance.pick(nonsense(this.key()))
  }

  private key(): string {
    const { chance } = this
    if (chance.oneIn(60)) return "text"
    if (chance.oneIn(60)) return "missing"
    return chance.oneIn(5) ? chance.pick(TARGETS) : chance.pick(SOURCES)
  }

  private groupName(): string {
    return this.chance.oneIn(40) ? "nobody" : this.chance.pick(GROUPS)
  }

  private consumer(): string {
    return this.chance.pick(CONSUMERS)
  }

  /** An id near those in use: mostly one written lately, sometimes of the future or none at all. */
  private id(): string {
    const { chance } = this
    if (!chance.oneIn(3)) return chance.pick(this.written)
    if (chance.oneIn(12)) return `9999999999999-${chance.int(1, 12)}`
    if (chance.oneIn(30)) return `${chance.int(0, this.now + 1)}`
    return `${Math.max(0, this.now - chance.int(-1, 8))}-${chance.int(0, 2)}`
  }

  private ids(most: number): ReadonlyArray<string> {
    return Array.from({ length: this.chance.int(1, most) }, () => this.id())
  }

  private bound(whole: "-" | "+"): string {
    const { chance } = this
    if (chance.oneIn(2)) return whole
    return chance.oneIn(3) ? `(${this.id()}` : this.id()
  }

  private fields(): ReadonlyArray<string> {
    const { chance } = this
    return Array.from({ length: chance.int(1, 2) }, (_, at) => [`f${at}`, `${chance.int(0, 99)}`]).flat()
  }

  private trimming(): ReadonlyArray<string> {
    const { chance } = this
    const limit = chance.maybe(3, ["LIMIT", `${chance.int(0, 200)}`])
    const sign = chance.pick([[], ["="], ["~"]])
    const strategy = chance.oneIn(2) ? ["MAXLEN", ...sign, `${chance.int(0, 12)}`] : ["MINID", ...sign, this.id()]
    return sign[0] === "~" || chance.oneIn(30) ? [...strategy, ...limit] : strategy
  }

  private add(): RandomCommand {
    const { chance } = this
    const options = [...chance.maybe(15, ["NOMKSTREAM"]), ...chance.maybe(10, this.trimming())]
    if (chance.oneIn(6)) {
      const target = chance.pick(TARGETS)
      this.queued.push(["XADD", target, ...options, "*", ...this.fields()])
      return ["XADD", target, FAR_FUTURE, "seed", "1"]
    }
    if (chance.oneIn(3)) this.now += 1
    const id = `${this.now}-${chance.int(0, 3)}`
    this.written = [...this.written.slice(-11), id]
    return ["XADD", chance.pick(SOURCES), ...options, chance.oneIn(4) ? `${this.now}-*` : id, ...this.fields()]
  }

  private readGroup(): RandomCommand {
    const { chance } = this
    const keys = Array.from({ length: chance.oneIn(4) ? 2 : 1 }, () => this.key())
    const from = keys.map(() => (chance.oneIn(4) ? chance.pick(["0", this.id()]) : ">"))
    const count = chance.oneIn(6) ? [] : ["COUNT", `${chance.int(0, 4)}`]
    if (chance.oneIn(10)) return ["XREAD", ...count, "STREAMS", ...keys, ...keys.map(() => this.id())]
    const noAck = chance.maybe(12, ["NOACK"])
    return ["XREADGROUP", "GROUP", this.groupName(), this.consumer(), ...count, ...noAck, "STREAMS", ...keys, ...from]
  }

  private acknowledge(): RandomCommand {
    const { group, ids, key } = this.work()
    return this.chance.oneIn(4) ? ["XDEL", key, ...ids] : ["XACK", key, group, ...ids]
  }

  private claim(): RandomCommand {
    const { chance } = this
    const least = chance.pick(["0", "0", HOUR])
    const justId = chance.maybe(2, ["JUSTID"])
    if (chance.oneIn(3)) {
      const count = chance.maybe(2, ["COUNT", `${chance.int(1, 3)}`])
      const start = chance.pick(["0", "0-0", this.bound("-")])
      return ["XAUTOCLAIM", this.key(), this.groupName(), this.consumer(), least, start, ...count, ...justId]
    }
    const options = [
      ...chance.maybe(3, ["IDLE", chance.pick(["0", TWO_HOURS])]),
      ...chance.maybe(4, ["RETRYCOUNT", `${chance.int(0, 9)}`]),
      ...chance.maybe(4, ["FORCE"]),
      ...chance.maybe(20, ["LASTID", this.id()]),
      ...justId
    ]
    const { group, ids, key } = this.work()
    return ["XCLAIM", key, group, this.consumer(), least, ...ids, ...options]
  }

  private inspect(): RandomCommand {
    const { chance } = this
    switch (chance.int(1, 6)) {
      case 1:
        return ["XPENDING", this.key(), this.groupName()]
      case 2: {
        const idle = chance.maybe(3, ["IDLE", HOUR])
        const count = `${chance.int(0, 9)}`
        const consumer = chance.maybe(2, [this.consumer()])
        return ["XPENDING", this.key(), this.groupName(), ...idle, this.bound("-"), this.bound("+"), count, ...consumer]
      }
      case 3:
        return ["XINFO", "GROUPS", this.key()]
      case 4:
        return ["XINFO", "CONSUMERS", this.key(), this.groupName()]
      case 5:
        return ["XINFO", "STREAM", this.key(), ...chance.maybe(3, ["FULL", ...chance.maybe(2, ["COUNT", "2"])])]
      default:
        return ["XLEN", this.key()]
    }
  }

  private range(): RandomCommand {
    const count = this.chance.maybe(2, ["COUNT", `${this.chance.int(-1, 5)}`])
    return this.chance.oneIn(2)
      ? ["XRANGE", this.key(), this.bound("-"), this.bound("+"), ...count]
      : ["XREVRANGE", this.key(), this.bound("+"), this.bound("-"), ...count]
  }

  private cut(): RandomCommand {
    return this.chance.oneIn(3) ? ["XDEL", this.key(), ...this.ids(5)] : ["XTRIM", this.key(), ...this.trimming()]
  }

  private group(): RandomCommand {
    const { chance } = this
    switch (chance.int(1, 20)) {
      case 1:
        this.queued.push(this.createGroup(), this.createGroup())
        return ["XGROUP", "DESTROY", this.key(), this.groupName()]
      case 2:
        return ["XGROUP", "SETID", this.key(), this.groupName(), this.startId(), ...this.entriesRead()]
      case 3:
        return ["XGROUP", "CREATECONSUMER", this.key(), this.groupName(), this.consumer()]
      case 4:
        return ["XGROUP", "DELCONSUMER", this.key(), this.groupName(), this.consumer()]
      default:
        return this.createGroup()
    }
  }

  private createGroup(): RandomCommand {
    const make = this.chance.maybe(2, ["MKSTREAM"])
    return ["XGROUP", "CREATE", this.key(), this.chance.pick(GROUPS), this.startId(), ...make, ...this.entriesRead()]
  }

  private startId(): string {
    return this.chance.pick(["0", "$", "$", this.id()])
  }

  private entriesRead(): ReadonlyArray<string> {
    return this.chance.maybe(8, ["ENTRIESREAD", `${this.chance.int(-1, 20)}`])
  }

  private keys(): RandomCommand {
    const { chance } = this
    const key = chance.pick(["text", "text", "lease", "lease", "missing", this.key()])
    const life = chance.maybe(2, ["PX", chance.pick(["100000000", "0"])])
    switch (chance.int(1, 14)) {
      case 1:
        this.recover()
        return ["DEL", ...(chance.oneIn(9) ? [...SOURCES, "text"] : [chance.pick(["text", "lease", key])])]
      case 2:
        return ["EXISTS", key, this.key()]
      case 3:
        return ["TYPE", this.key()]
      case 4:
        return ["GET", key]
      case 5:
        return ["PTTL", key]
      case 6:
        return [
          chance.pick(["PEXPIRE", "EXPIRE"]),
          "lease",
          "100000000",
          ...chance.maybe(3, [chance.pick(["NX", "XX"])])
        ]
      case 7:
        return ["KEYS", chance.pick(["*", "s?", "[sd]1", "t*", "s[^1]"])]
      case 8:
        if (!chance.oneIn(9)) return ["SCAN", "0", ...chance.maybe(2, ["MATCH", "s*"])]
        this.recover()
        return ["FLUSHALL"]
      case 9:
        return ["SADD", chance.pick(["replayed", "text"]), chance.pick(MEMBERS), chance.pick(MEMBERS)]
      case 10:
        return ["SISMEMBER", chance.pick(["replayed", "replayed", "text", "missing"]), chance.pick(MEMBERS)]
      default: {
        const condition = chance.maybe(2, [chance.pick(["NX", "XX"])])
        return ["SET", chance.pick(["text", "lease"]), this.token(), ...condition, ...life, ...chance.maybe(4, ["GET"])]
      }
    }
  }

  /** Some groups again soon after keys went. */
  private recover(): void {
    for (let groups = 0; groups < 6; groups++) this.queued.push(this.createGroup())
  }

  private token(): string {
    return this.chance.pick(["token-1", "token-2"])
  }

  private script(): RandomCommand {
    const { chance } = this
    const { consumer, group, ids, key } = this.work()
    const id = ids[0] ?? this.id()
    const owner = [group, consumer]
    const run = (script: Scripts.Script, keys: ReadonlyArray<string>, argv: ReadonlyArray<string>): RandomCommand => [
      "EVAL",
      script.lua,
      `${keys.length}`,
      ...keys,
      ...argv
    ]
    const target = chance.oneIn(12) ? "text" : chance.pick(TARGETS)
    const intoTarget = (command: RandomCommand): RandomCommand => {
      this.queued.push(command)
      return ["XADD", target, FAR_FUTURE, "seed", "1"]
    }
    switch (chance.int(1, 11)) {
      case 1:
      case 2: {
        const removes = chance.pick(["0", "1"])
        return intoTarget(run(Scripts.move, [key, target], [...owner, id, removes, ...this.fields()]))
      }
      case 3:
        return run(Scripts.finish, [key], [group, ...ids])
      case 4:
        return run(Scripts.renew, [key], [...owner, ...ids])
      case 5:
        return run(Scripts.take, [key], [...owner, id, chance.pick(["0", "1", "3", "7"])])
      case 6: {
        const pairs = ids.flatMap((released) => [released, `${chance.int(0, 5)}`])
        return run(Scripts.release, [key], [...owner, chance.pick(["0", TWO_HOURS]), ...pairs])
      }
      case 7:
        return chance.oneIn(2)
          ? run(Scripts.lease, [chance.oneIn(9) ? key : "lease"], [this.token(), "100000000"])
          : run(Scripts.unlease, [chance.oneIn(9) ? key : "lease"], [this.token()])
      case 8:
        return run(Scripts.retire, [key], [...owner, chance.pick(["0", HOUR])])
      case 10:
        return run(Scripts.adopt, [key], [...owner, ...ids.flatMap((adopted) => [adopted, `${chance.int(0, 5)}`])])
      case 9: {
        const replayed = chance.oneIn(9) ? "text" : "replayed"
        return intoTarget(
          chance.oneIn(3)
            ? run(Scripts.putBack, [target, replayed], ["86400", ...this.fields()])
            : run(Scripts.replay, [key, target, replayed], [this.id(), "86400", ...this.fields()])
        )
      }
      default:
        return run(Scripts.trim, [key], [chance.pick(["", "", this.id()])])
    }
  }
}
