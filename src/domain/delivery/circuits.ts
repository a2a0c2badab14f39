/**
 * The circuits: the API's, and one for each partition that fails (contract section 6). They share the rules of
 * {@link afterAttempt}; what is here says whose fault a row of failures is:
 *
 * - An outage is the API's, unless all its failures came from one partition while others succeed: then that one is to blame.
 * - A partition whose failures all came from one partition of another field is not to blame while its other events succeed.
 * - Failures of a partition whose circuit is open are explained by that, and count for nothing else.
 * - Connections that cannot be made are the API's failure, whoever meets with them.
 */

import type { PartitionKey, PartitionValues } from "../traffic/isolation.ts"
import { Recent } from "../traffic/recent.ts"
import { type Attempt, afterAttempt, afterProbe, type Circuit, closed, type Open, rowThreshold } from "./circuit.ts"

/** So long ago a success is evidence that others succeed, in milliseconds. */
const evidenceMs = 60_000
/** A partition with a closed circuit that nothing was heard of for so long is forgotten, in milliseconds. */
const forgottenAfterMs = 600_000
/** Partitions of a field that are remembered: were more to fail, some of them would be forgotten. */
const mostRemembered = 10_000

/** What changed: the circuit of a partition, or the API's where none is named. */
export interface CircuitChange {
  readonly change: "opened" | "closed"
  readonly partition: PartitionKey | undefined
}

const several = null

/** What a circuit is of: the API, or one partition. */
class Scope {
  circuit: Circuit = closed
  /** For each field the one value that all failures since the last success have in common; undefined before the first. */
  private readonly common: Array<string | typeof several | undefined>
  /** Connections that could not be made since the last success. */
  private unconnected = 0
  /** For each field the successes of late; none where they are not kept. */
  private readonly successes: ReadonlyArray<Recent>
  heardAt = 0

  constructor(fields: number, keepsSuccesses: boolean) {
    this.common = Array.from({ length: fields })
    this.successes = keepsSuccesses ? this.common.map(() => new Recent()) : []
  }

  get open(): Open | undefined {
    return this.circuit._tag === "Open" ? this.circuit : undefined
  }

  reset(): void {
    if (this.circuit === closed) return
    this.circuit = closed
    this.common.fill(undefined)
    this.unconnected = 0
  }

  succeeded(values: PartitionValues, now: number): void {
    this.reset()
    this.heardAt = now
    for (let field = 0; field < this.successes.length; field++) this.successes[field]?.note(values[field], now)
  }

  /** Whether all failures since the last success came from one partition. */
  isConfinedTo({ field, value }: PartitionKey): boolean {
    return this.common[field] === value
  }

  /** Takes in a failure: true where the circuit opens with it. */
  failed(attempt: Attempt, values: PartitionValues, isNotToBlame: (field: number, value: string) => boolean): boolean {
    this.heardAt = attempt.now
    if (!attempt.rejected) {
      for (let field = 0; field < this.common.length; field++) {
        const value = values[field] ?? several
        const before = this.common[field]
        if (before === undefined) this.common[field] = value
        else if (before !== value) this.common[field] = several
      }
      if (attempt.result._tag === "Failed" && attempt.result.errorCode === "NETWORK") this.unconnected += 1
    }
    const mayOpen =
      this.unconnected >= rowThreshold ||
      !this.common.some((value, field) => typeof value === "string" && isNotToBlame(field, value))
    this.circuit = afterAttempt(this.circuit, attempt, mayOpen)
    return this.circuit._tag === "Open"
  }

  /** Lets the next probe go at once; how many there were before it still counts. */
  probeNow(now: number): void {
    const { open } = this
    if (open !== undefined) this.circuit = { ...open, probeAt: Math.min(open.probeAt, now) }
  }

  /** When an event outside a partition last succeeded. */
  successOutside(field: number, value: string): number {
    return this.successes[field]?.otherAt(value) ?? Number.NEGATIVE_INFINITY
  }
}

const unchanged: ReadonlyArray<CircuitChange> = []

export class Circuits {
  private readonly breaker: boolean
  private readonly api: Scope
  /** For each field the partitions of which something is known. */
  private readonly scopes: ReadonlyArray<Map<string, Scope>>
  /** For each field the partition whose circuit opened last, and when. */
  private readonly openings: Array<{ readonly value: string; readonly at: number } | undefined>
  private opened = 0
  /** For each field whose turn it is to be looked at, when there is one more. */
  private readonly turns: Array<MapIterator<[string, Scope]> | undefined>

  constructor(breaker: boolean, fields: number) {
    this.breaker = breaker
    this.api = new Scope(fields, true)
    this.scopes = Array.from({ length: fields }, () => new Map())
    this.openings = Array.from({ length: fields })
    this.turns = Array.from({ length: fields })
  }

  /** The API's circuit while it is open. */
  get apiOpen(): Open | undefined {
    return this.api.open
  }

  /** How many partitions' circuits are open. */
  get open(): number {
    return this.opened
  }

  /** How many partitions are remembered. */
  get size(): number {
    return this.scopes.reduce((size, scopes) => size + scopes.size, 0)
  }

  /** A partition's circuit while it is open. */
  openOf(field: number, value: string | undefined): Open | undefined {
    return this.opened === 0 || value === undefined ? undefined : this.scopes[field]?.get(value)?.open
  }

  /** Whether the circuit of any of an event's partitions is open. */
  isAnyOpen(values: PartitionValues): boolean {
    return this.opened > 0 && this.scopes.some((_, field) => this.openOf(field, values[field]) !== undefined)
  }

  /** The partitions whose circuits are open, at most so many. */
  openPartitions(most: number): ReadonlyArray<PartitionKey & Open> {
    const found: Array<PartitionKey & Open> = []
    if (this.opened === 0) return found
    for (const [field, scopes] of this.scopes.entries()) {
      for (const [value, { open }] of scopes) {
        if (found.length >= most) return found
        if (open !== undefined) found.push({ ...open, field, value })
      }
    }
    return found
  }

  /** Whether an event outside a partition succeeded of late. */
  othersSucceed({ field, value }: PartitionKey, now: number): boolean {
    return this.api.successOutside(field, value) >= now - evidenceMs
  }

  /** Takes in an attempt's result: what changed by it. */
  record(attempt: Attempt, values: PartitionValues): ReadonlyArray<CircuitChange> {
    if (!this.breaker) {
      if (attempt.result._tag === "Accepted") this.api.succeeded(values, attempt.now)
      return unchanged
    }
    return attempt.result._tag === "Accepted" ? this.succeeded(values, attempt.now) : this.failed(attempt, values)
  }

  /** Notes that a probe of the API was let through. */
  probedApi(now: number): void {
    const { open } = this.api
    if (open !== undefined) this.api.circuit = afterProbe(open, now)
  }

  /** Takes back that a probe of the API was let through: the next may go at once. */
  notProbedApi(now: number): void {
    const { open } = this.api
    if (open !== undefined) this.api.circuit = { ...open, probes: Math.max(0, open.probes - 1), probeAt: now }
  }

  /** Notes that an event was let through as a probe of those of its partitions whose circuits are open. */
  probed(values: PartitionValues, now: number): void {
    for (const [field, scopes] of this.scopes.entries()) {
      const scope = scopes.get(values[field] ?? "")
      if (scope?.open !== undefined) scope.circuit = afterProbe(scope.open, now)
    }
  }

  /** Lets the next probe of every open circuit go at once: true where there is one. */
  probeNow(now: number): boolean {
    const open = [this.api, ...(this.opened === 0 ? [] : this.scopes.flatMap((scopes) => [...scopes.values()]))].filter(
      (scope) => scope.open !== undefined
    )
    for (const scope of open) scope.probeNow(now)
    return open.length > 0
  }

  private succeeded(values: PartitionValues, now: number): ReadonlyArray<CircuitChange> {
    let changes: ReadonlyArray<CircuitChange> = unchanged
    if (this.api.open !== undefined) changes = [{ change: "closed", partition: undefined }]
    this.api.succeeded(values, now)
    const last = this.scopes.length - 1
    for (let field = 0; field <= last; field++) {
      const value = values[field]
      const scopes = this.scopes[field]
      if (value === undefined || scopes === undefined) continue
      // Of the narrowest field there are many values: of those nothing is kept but failures.
      const scope = field < last ? this.scopeOf(field, value, now) : scopes.size > 0 ? scopes.get(value) : undefined
      if (scope === undefined) continue
      if (scope.open !== undefined) {
        this.opened -= 1
        changes = [...changes, { change: "closed", partition: { field, value } }]
      }
      scope.succeeded(values, now)
      if (field === last) scopes.delete(value)
    }
    return changes
  }

  private failed(attempt: Attempt, values: PartitionValues): ReadonlyArray<CircuitChange> {
    const { now, result } = attempt
    if (this.api.open !== undefined) return unchanged
    const isExplained = this.isAnyOpen(values)
    const isUnconnected = result._tag === "Failed" && result.errorCode === "NETWORK"
    if (isExplained && !isUnconnected) return unchanged
    if (this.api.failed(attempt, values, (field, value) => this.isElsewhere(this.api, field, value, now))) {
      this.forgetPartitions()
      return [{ change: "opened", partition: undefined }]
    }
    if (isExplained) return unchanged
    for (let field = 0; field < this.scopes.length; field++) {
      const value = values[field]
      if (value === undefined) continue
      const scope = this.scopeOf(field, value, now)
      const isNotToBlame = (other: number, common: string) =>
        other !== field && this.isElsewhere(scope, other, common, now)
      if (!scope.failed(attempt, values, isNotToBlame)) continue
      this.opened += 1
      this.openings[field] = { value, at: now }
      this.excuse({ field, value })
      return [{ change: "opened", partition: { field, value } }]
    }
    return unchanged
  }

  /**
   * Whether failures that all came from one partition are that one's fault: others succeeded of late, and since another
   * of its field was found to be failing.
   */
  private isElsewhere(scope: Scope, field: number, value: string, now: number): boolean {
    const success = scope.successOutside(field, value)
    const opening = this.openings[field]
    if (opening !== undefined && opening.value !== value && success <= opening.at) return false
    return success >= now - evidenceMs
  }

  /** What failed by one partition's fault alone starts anew. */
  private excuse(partition: PartitionKey): void {
    if (this.api.isConfinedTo(partition)) this.api.reset()
    for (const [field, scopes] of this.scopes.entries()) {
      if (field === partition.field) continue
      for (const scope of scopes.values()) {
        if (scope.open === undefined && scope.isConfinedTo(partition)) scope.reset()
      }
    }
  }

  private scopeOf(field: number, value: string, now: number): Scope {
    const scopes = this.scopes[field]
    const known = scopes?.get(value)
    if (known !== undefined) return known
    const made = new Scope(this.scopes.length, field < this.scopes.length - 1)
    if (scopes !== undefined) {
      this.makeRoom(field, scopes, now)
      scopes.set(value, made)
    }
    return made
  }

  /** Looks at the next two in turn, so that every new one pays for those that are idle. */
  private makeRoom(field: number, scopes: Map<string, Scope>, now: number): void {
    for (let looks = 0; looks < 2; looks++) {
      const next = this.turns[field]?.next()
      if (next === undefined || next.done === true) {
        // In the order in which they came, from the first again. (An iterator goes on where it was, whatever is removed.)
        this.turns[field] = scopes.entries()
        continue
      }
      const [value, scope] = next.value
      const isIdle = now >= scope.heardAt + forgottenAfterMs
      if (scope.open === undefined ? isIdle || scopes.size >= mostRemembered : scopes.size >= 2 * mostRemembered) {
        scopes.delete(value)
        if (scope.open !== undefined) this.opened -= 1
      }
    }
  }

  /** While the API's circuit is open none of a partition is: what they were blamed for may have been its beginning. */
  private forgetPartitions(): void {
    for (const scopes of this.scopes) scopes.clear()
    this.openings.fill(undefined)
    this.opened = 0
  }
}
