/** Does to a world what its faults say. Faults of one sort may overlap: the last to end ends it. */
import type { Fault } from "./faults.ts"
import type { HttpNetwork, NetworkConditions } from "./http.ts"
import type { Kernel } from "./kernel.ts"
import type { RedisNetwork } from "./redis.ts"
import type { Replica } from "./replica.ts"

/** What of a world faults befall. */
export interface Disturbed {
  readonly kernel: Kernel
  readonly redis: RedisNetwork
  readonly http: HttpNetwork
  readonly replica: (name: string) => Replica
}

export class Disturbances {
  private readonly world: Disturbed
  /** Of the storms that are on. */
  private readonly conditions = new Set<NetworkConditions>()
  private readonly active = new Map<string, number>()

  constructor(world: Disturbed) {
    this.world = world
  }

  /** One more of a sort. */
  private more(sort: string): void {
    this.active.set(sort, (this.active.get(sort) ?? 0) + 1)
  }

  /** One less of a sort: whether it was the last. */
  private last(sort: string): boolean {
    const left = (this.active.get(sort) ?? 1) - 1
    this.active.set(sort, left)
    return left === 0
  }

  private setConditions(): void {
    this.world.http.conditions = this.conditions.size === 0 ? undefined : Object.assign({}, ...this.conditions)
  }

  begin(fault: Fault): void {
    const { redis } = this.world
    switch (fault.kind) {
      case "crash":
        this.world.replica(fault.replica).kill(fault.disk)
        break
      case "stop":
        this.world.replica(fault.replica).stop()
        if (fault.rename !== undefined) this.world.replica(fault.replica).alias = fault.rename
        break
      case "pause":
        this.more(`pause ${fault.replica}`)
        this.world.replica(fault.replica).process?.pause()
        break
      case "cut":
        this.more(`cut ${fault.replica}`)
        redis.cut(fault.replica, fault.how)
        break
      case "redis-away":
      case "failover":
        this.more("redis-away")
        redis.stop()
        break
      case "lost-replies":
        this.more("lost-replies")
        redis.loseReplies(fault.chance)
        break
      case "flush":
        redis.command("FLUSHALL")
        break
      case "trim":
        redis.command("XTRIM", fault.stream, "MAXLEN", "=", String(fault.keep))
        break
      case "skew":
        this.more(`skew ${fault.replica}`)
        this.world.replica(fault.replica).skew(fault.by)
        break
      case "storm":
        this.conditions.add(fault.conditions)
        this.setConditions()
        break
      case "host":
    }
  }

  end(fault: Fault): void {
    const { redis } = this.world
    switch (fault.kind) {
      case "crash":
      case "stop":
        this.restart(this.world.replica(fault.replica))
        break
      case "pause":
        if (this.last(`pause ${fault.replica}`)) this.world.replica(fault.replica).process?.resume()
        break
      case "cut":
        if (this.last(`cut ${fault.replica}`)) redis.mend(fault.replica)
        break
      case "redis-away":
      case "failover":
        if (this.last("redis-away")) redis.start()
        break
      case "lost-replies":
        if (this.last("lost-replies")) redis.loseReplies(0)
        break
      case "skew":
        if (this.last(`skew ${fault.replica}`)) this.world.replica(fault.replica).skew(0)
        break
      case "storm":
        this.conditions.delete(fault.conditions)
        this.setConditions()
        break
      default:
    }
  }

  /** Starts a replica; one that still stops is waited for. */
  private restart(replica: Replica): void {
    if (replica.process === undefined) replica.start()
    else if (replica.stopping) this.world.kernel.after(1_000_000, undefined, () => this.restart(replica))
  }
}
