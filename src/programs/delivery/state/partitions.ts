import type { Clock } from "effect"
import type { CollectorOptions } from "../../../domain/options/options.ts"
import { fieldsThatPart, type PartitionKey, type PartitionValues } from "../../../domain/traffic/isolation.ts"
import { Recent } from "../../../domain/traffic/recent.ts"
import type { Park } from "../../../domain/traffic/rules.ts"
import { monotonicMillisOf } from "../../redis/monotonic.ts"
import { isDlq } from "./consumedStream.ts"
import type { DeliveryGate } from "./deliveryGate.ts"
import { giveBackToKind } from "./kindLimits.ts"
import type { OwnedEntries } from "./ownedEntries.ts"
import type { Load, Members, OwnedEntry, Place, Waiting } from "./ownedEntry.ts"
import type { Permits } from "./permits.ts"
import type { TrafficRules } from "./trafficRules.ts"

/** Whoever was seen so long ago still wants permits, in milliseconds: the others' shares bind for as long. */
const activeForMs = 10_000

/** Waiting for a share is worth telling when it has lasted for so long, in milliseconds. */
const noticedAfterMs = 10_000

/** Why an event may not run now. */
export interface Blockage {
  readonly _tag: "Blockage"
  readonly reason: "capped" | "circuit" | "parked"
  /** What holds it up. */
  readonly partition: PartitionKey
  /** When to look again, by the monotonic clock; infinite where something else will tell. */
  readonly until: number
}

const noLoad: Load = []

/** Of one that waited, and to which its turn comes. */
const noPlace: Place = { load: noLoad, isProbe: false }

export const isBlockage = (admission: Load | Blockage): admission is Blockage => "_tag" in admission

/**
 * Which events may run, by their partitions, and which wait without a permit (contract section 6, "One cannot stop all"): the
 * shares of the permits, the partitions' circuits, and the pauses that the API asked for. One for a run. An event that nothing
 * holds up costs a few look-ups, whatever else waits.
 */
export class Partitions {
  /** The fields that part events: those isolated by come first. */
  readonly partedBy: ReadonlyArray<string>
  private readonly gate: DeliveryGate
  private readonly traffic: TrafficRules
  private readonly owned: OwnedEntries
  private readonly clock: Clock.Clock
  private readonly permits: Permits
  private readonly shareOfAll: number
  /** For each field whoever has requests under way, or waits. */
  private readonly fields: ReadonlyArray<Map<string, Members>>
  /** For each field isolated by whoever wanted permits of late. */
  private readonly active: ReadonlyArray<Recent>
  private readonly loads = new Set<Load>()
  private readonly waitedFor = new Set<Members>()
  private nextLook = Number.POSITIVE_INFINITY
  private seenOfGate = 0
  private seenMost = 0

  constructor(
    { isolateBy, isolateShare }: CollectorOptions,
    given: {
      readonly gate: DeliveryGate
      readonly traffic: TrafficRules
      readonly permits: Permits
      readonly owned: OwnedEntries
      readonly clock: Clock.Clock
    }
  ) {
    this.gate = given.gate
    this.traffic = given.traffic
    this.owned = given.owned
    this.clock = given.clock
    this.permits = given.permits
    this.shareOfAll = isolateShare
    this.partedBy = fieldsThatPart(isolateBy)
    this.active = isolateBy.map(() => new Recent())
    this.fields = this.partedBy.map(() => new Map())
  }

  /** The permits that one may have while others want some. */
  private get share(): number {
    return Math.ceil(this.permits.most * this.shareOfAll)
  }

  /**
   * The most that one may have then with what a narrower one takes up that has its own share: a user who hangs in a model does
   * not stop the model's other users, nor the two of them all else.
   */
  private get mostWithNarrower(): number {
    const { share } = this
    return share + Math.floor((this.permits.most - share) / 2)
  }

  /** When something that waits may go on, unless something else lets it before. */
  get lookAt(): number {
    return this.nextLook
  }

  /** Those whose events have waited for a while since they have their share, at most so many. */
  capped(most: number, now: number): ReadonlyArray<Members> {
    const found: Array<Members> = []
    for (const members of this.waitedFor) {
      if (found.length >= most) break
      const [first] = members.waiting
      const since = members.waitingSince
      if (first === undefined || since === undefined || now < since + noticedAfterMs) continue
      if (this.blockageOf(first.values, now)?.reason === "capped") found.push(members)
    }
    return found
  }

  /** How many of a partition wait. */
  waitingOf({ field, value }: PartitionKey): number {
    return this.fields[field]?.get(value)?.waiting.length ?? 0
  }

  /** How many of a parked partition wait that stand in no DLQ. */
  parkedOfSource({ field, value }: Park): number {
    const waiting = this.fields[this.partedBy.indexOf(field)]?.get(value)?.waiting ?? []
    return waiting.reduce((count, { entry }) => (isDlq(entry.stream) ? count : count + 1), 0)
  }

  /** Lets an event run, counted among the requests of its partitions until it leaves, or says what holds it up. */
  admit(entry: OwnedEntry, values: PartitionValues, now: number): Load | Blockage {
    const { place } = entry
    entry.place = undefined
    const stopped = this.stopped(values, now, place)
    // Whoever is parked, or waits for a probe, wants no permit.
    if (stopped === undefined) this.noteWanting(values, now)
    const blockage = stopped ?? this.full(values, now, place)
    if (blockage !== undefined) {
      if (place !== undefined) this.leave(place.load)
      return blockage
    }
    const { circuits } = this.gate
    // Its partitions' probe, if they are open: of those for which a place was kept that is noted already.
    if (circuits.open > 0) {
      circuits.probed(place === undefined ? values : values.map((value, i) => (place.load[i] ? undefined : value)), now)
    }
    if (place?.load.every((members, field) => members?.partition.value === values[field])) {
      return place.load
    }
    if (place !== undefined) this.subtract(place.load)
    return this.add(values)
  }

  /** What holds up an event that was just read; undefined for nothing. */
  blockageOf(values: PartitionValues, now: number): Blockage | undefined {
    return this.stopped(values, now, undefined) ?? this.full(values, now, undefined)
  }

  /** What of an event's partitions has an open circuit. */
  openOf(values: PartitionValues): Blockage | undefined {
    const { circuits } = this.gate
    if (circuits.open === 0) return undefined
    for (let field = 0; field < this.active.length; field++) {
      const value = values[field]
      const open = circuits.openOf(field, value)
      if (open !== undefined && value !== undefined) {
        return { _tag: "Blockage", reason: "circuit", partition: { field, value }, until: open.probeAt }
      }
    }
    return undefined
  }

  /** A request ended. */
  leave(load: Load): void {
    if (load.length === 0) return
    this.subtract(load)
    if (this.waitedFor.size > 0) this.refill(load, monotonicMillisOf(this.clock))
  }

  /** Gives back the place kept for an entry that does not come, and what it has of its kind's permits. */
  giveBack(entry: OwnedEntry): void {
    giveBackToKind(entry)
    const { place } = entry
    if (place === undefined) return
    entry.place = undefined
    this.leave(place.load)
  }

  /** Has an entry wait without a permit. */
  wait(
    entry: OwnedEntry,
    values: PartitionValues,
    blockage: Blockage,
    { due, now, wasTried }: { readonly due: number; readonly now: number; readonly wasTried: boolean }
  ): void {
    const members = this.membersOf(blockage.partition)
    const waiting: Waiting = { _tag: "Waiting", entry, due, values, members, wasTried }
    this.list(waiting, now)
    this.nextLook = Math.min(this.nextLook, blockage.until)
    this.owned.wait(waiting)
    // It may wait only for one that came before, which may go by now.
    if (blockage.until === Number.POSITIVE_INFINITY) this.release(members, now)
  }

  /** Lets go on what may by now. */
  look(now: number): void {
    const { version } = this.gate.changed
    const { most } = this.permits
    // A circuit has changed, a pause, a rule, or how many permits there are to share.
    if (version === this.seenOfGate && most === this.seenMost && now < this.nextLook) return
    this.seenOfGate = version
    this.seenMost = most
    this.nextLook = Number.POSITIVE_INFINITY
    for (const members of [...this.waitedFor]) this.release(members, now)
  }

  /** The DLQ entry that gives way to another: of those that wait for the one that was waited for first, the last. */
  lastOfDlq(): Waiting | undefined {
    if (this.owned.waitingOfDlq === 0) return undefined
    for (const { waiting } of this.waitedFor) {
      const last = waiting.findLast(({ entry }) => isDlq(entry.stream))
      if (last !== undefined) return last
    }
    return undefined
  }

  /** What stops a partition as a whole. */
  private stopped(values: PartitionValues, now: number, place: Place | undefined): Blockage | undefined {
    const { circuits, pauses } = this.gate
    const parked = this.traffic.parksAny ? this.parked(values, now) : undefined
    if (parked !== undefined) return parked
    if (circuits.open > 0) {
      for (let field = 0; field < this.active.length; field++) {
        const value = values[field]
        const open = circuits.openOf(field, value)
        if (open === undefined || value === undefined) continue
        const isProbe = place?.isProbe === true && place.load[field] !== undefined
        if (!isProbe && (now < open.probeAt || (place === undefined && this.waitingOf({ field, value }) > 0))) {
          return { _tag: "Blockage", reason: "circuit", partition: { field, value }, until: open.probeAt }
        }
      }
    }
    const pause = pauses.size > 0 ? pauses.of(values, now) : undefined
    return pause && { _tag: "Blockage", reason: "capped", partition: pause.partition, until: pause.until }
  }

  private parked(values: PartitionValues, now: number): Blockage | undefined {
    for (const [field, name] of this.partedBy.entries()) {
      const value = values[field]
      const rule = value === undefined ? undefined : this.traffic.parked(name, value, now)
      if (rule !== undefined && value !== undefined) {
        return { _tag: "Blockage", reason: "parked", partition: { field, value }, until: rule.ends }
      }
    }
    return undefined
  }

  private noteWanting(values: PartitionValues, now: number): void {
    for (let field = 0; field < this.active.length; field++) this.active[field]?.note(values[field], now)
  }

  /** What has its share already. Who has just come stands behind those that wait. */
  private full(values: PartitionValues, now: number, place: Place | undefined): Blockage | undefined {
    for (let field = 0; field < this.active.length; field++) {
      const value = values[field]
      // Where a place was kept it is there: who comes to it late finds others in the rest.
      if (value === undefined || place?.load[field] !== undefined) continue
      const members = this.fields[field]?.get(value)
      if (members === undefined) continue
      if (this.isFull(members, now)) {
        const until = this.bindsUntil(members)
        return { _tag: "Blockage", reason: "capped", partition: members.partition, until }
      }
      if (place === undefined && members.waiting.length > 0) {
        return { _tag: "Blockage", reason: "capped", partition: members.partition, until: Number.POSITIVE_INFINITY }
      }
    }
    return undefined
  }

  /** Until when others want permits, as far as is known. */
  private bindsUntil({ partition: { field, value } }: Members): number {
    return (this.active[field]?.otherAt(value) ?? Number.NEGATIVE_INFINITY) + activeForMs
  }

  private hasShare(members: Members, now: number): boolean {
    return members.running >= this.share && now < this.bindsUntil(members)
  }

  private isFull(members: Members, now: number): boolean {
    if (!this.hasShare(members, now)) return false
    const { field } = members.partition
    if (members.running >= this.mostWithNarrower || field === this.active.length - 1) return true
    const isOthers = (load: Load) =>
      load.some((narrower, at) => at > field && narrower !== undefined && this.hasShare(narrower, now))
    let own = 0
    for (const load of this.loads) if (load[field] === members && !isOthers(load)) own += 1
    return own >= this.share
  }

  private membersOf(partition: PartitionKey): Members {
    const { field, value } = partition
    const known = this.fields[field]?.get(value)
    if (known !== undefined) return known
    const made: Members = { partition, running: 0, waiting: [], waitingSince: undefined }
    this.fields[field]?.set(value, made)
    return made
  }

  private add(values: PartitionValues): Load {
    if (this.active.length === 0) return noLoad
    const load: Array<Members | undefined> = []
    for (let field = 0; field < this.active.length; field++) {
      const value = values[field]
      const members =
        value === undefined ? undefined : (this.fields[field]?.get(value) ?? this.membersOf({ field, value }))
      if (members !== undefined) members.running += 1
      load.push(members)
    }
    this.loads.add(load)
    if (this.waitedFor.size > 0 && this.makesRoom(load)) {
      this.nextLook = Number.NEGATIVE_INFINITY
      this.owned.changed.notify()
    }
    return load
  }

  /** Whether a request is the one by which a narrower partition comes to its share, and takes up no more of a broader one's. */
  private makesRoom(load: Load): boolean {
    const field = load.findIndex((members) => members !== undefined && members.waiting.length > 0)
    return field >= 0 && load.some((members, at) => at > field && members?.running === this.share)
  }

  private subtract(load: Load): void {
    if (!this.loads.delete(load)) return
    for (const members of load) {
      if (members === undefined) continue
      members.running -= 1
      this.forget(members)
    }
  }

  /** Gives what a request took up to those that wait for it. */
  private refill(load: Load, now: number): void {
    for (const members of load) if (members !== undefined && members.waiting.length > 0) this.release(members, now)
  }

  private forget(members: Members): void {
    const { partition, running, waiting } = members
    const { field, value } = partition
    // It may have been forgotten before, and another have come in its place.
    if (running === 0 && waiting.length === 0 && this.fields[field]?.get(value) === members) {
      this.fields[field]?.delete(value)
    }
  }

  private list(waiting: Waiting, now: number): void {
    const { members } = waiting
    const list = members.waiting
    let at = list.length
    while (at > 0 && (list[at - 1]?.due ?? 0) > waiting.due) at -= 1
    list.splice(at, 0, waiting)
    members.waitingSince ??= now
    this.waitedFor.add(members)
  }

  /** Lets go on what waits for a partition, for as long as it may. */
  private release(members: Members, now: number): void {
    const { partition, waiting } = members
    const { circuits } = this.gate
    for (;;) {
      // Every second probe is the latest that was not tried: those that wait first may be what made the circuit open.
      const wantsFresh = (circuits.openOf(partition.field, partition.value)?.probes ?? 0) % 2 === 1
      const at = Math.max(0, wantsFresh ? waiting.findLastIndex(({ wasTried }) => !wasTried) : 0)
      const next = waiting[at]
      if (next === undefined) break
      const blockage = this.stopped(next.values, now, noPlace) ?? this.full(next.values, now, noPlace)
      if (blockage === undefined) {
        waiting.splice(at, 1)
        const isProbe = circuits.isAnyOpen(next.values)
        if (isProbe) circuits.probed(next.values, now)
        next.entry.place = { load: this.add(next.values), isProbe }
        this.owned.waitsNoMore(next.entry)
        // It has waited for nothing else: what an entry that was set aside says of its time was a guess.
        this.owned.hold(next.entry, Math.min(next.due, now))
        continue
      }
      this.nextLook = Math.min(this.nextLook, blockage.until)
      if (blockage.partition.field === partition.field) return
      waiting.splice(at, 1)
      const moved: Waiting = { ...next, members: this.membersOf(blockage.partition) }
      next.entry.state = moved
      this.list(moved, now)
    }
    members.waitingSince = undefined
    this.waitedFor.delete(members)
    this.forget(members)
  }
}
