/** The heart of a world: virtual time, one queue of all that is to happen, one of the fibers that are ready to run. */
import { Agenda, type Appointment, type Turn } from "./agenda.ts"
import { Chance } from "./chance.ts"
import { type Rank, Ranking } from "./ranking.ts"

/** A line of the trace. */
export interface TraceLine {
  /** Epoch milliseconds, with microseconds as decimals. */
  readonly at: number
  /** A process, or a part of the world. */
  readonly who: string
  readonly what: string
  readonly detail: string
}

/** Turns within one instant after which a world is taken to be spinning. */
const mostTurns = 2_000_000

/**
 * Nothing in a world happens at once: whatever waits is an appointment here, and its time and the seed decide the order.
 * Between two appointments every fiber that is ready runs until none is.
 */
export class Kernel {
  readonly chance: Chance
  /** Ranks the fibers that are ready; undefined where the first to come is the first to run. */
  readonly ranking: Ranking | undefined
  private readonly agenda = new Agenda()
  private readonly ties: Chance
  private ready: Array<{ readonly turn: Turn; readonly run: () => void }> = []
  private micros: number
  private order = 0
  private high = 0x9e3779b9
  private low = 0x85ebca6b
  private lines: Array<TraceLine> | undefined
  private failure: { readonly error: unknown } | undefined

  constructor(seed: string, startMillis: number, traced: boolean, ranked: boolean) {
    this.chance = new Chance(seed)
    this.ranking = ranked ? new Ranking(this.chance.fork("ranks")) : undefined
    this.ties = this.chance.fork("ties")
    this.micros = startMillis * 1_000
    this.lines = traced ? [] : undefined
  }

  /** Whole milliseconds since the epoch. */
  get millis(): number {
    return Math.floor(this.micros / 1_000)
  }

  get microseconds(): number {
    return this.micros
  }

  get traced(): boolean {
    return this.lines !== undefined
  }

  get trace(): ReadonlyArray<TraceLine> {
    return this.lines ?? []
  }

  /** A fingerprint of everything noted so far: equal for equal histories. */
  get hash(): string {
    return (this.high >>> 0).toString(16).padStart(8, "0") + (this.low >>> 0).toString(16).padStart(8, "0")
  }

  private mix(value: number): void {
    this.high = Math.imul(this.high ^ value, 0x01000193)
    this.low = (Math.imul(this.low, 0x5bd1e995) + (value ^ (this.high >>> 15))) | 0
  }

  private mixText(text: string): void {
    let hash = 0x811c9dc5
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.mix(hash)
  }

  /** Notes that something happened: part of the hash, and a line where the world is traced. */
  note(who: string, what: string, detail = "", more?: () => string): void {
    this.mix(this.micros | 0)
    this.mix((this.micros / 4_294_967_296) | 0)
    this.mixText(who)
    this.mixText(what)
    this.mixText(detail)
    this.lines?.push({ at: this.micros / 1_000, who, what, detail: more === undefined ? detail : more() })
  }

  /** A line of the trace that is no part of the history. */
  remark(who: string, what: string, detail: string): void {
    this.lines?.push({ at: this.micros / 1_000, who, what, detail })
  }

  /** Something to happen after some microseconds; the function returned calls it off. */
  after(micros: number, turn: Turn | undefined, run: () => void): () => void {
    return this.at(this.micros + Math.max(0, Math.round(micros)), turn, run)
  }

  /** Something to happen at a time in microseconds since the epoch. */
  at(micros: number, turn: Turn | undefined, run: () => void): () => void {
    const appointment: Appointment = {
      at: Math.max(this.micros, Math.round(micros)),
      tie: this.ties.next(),
      order: this.order++,
      turn,
      run
    }
    this.agenda.add(appointment)
    return () => {
      appointment.run = undefined
    }
  }

  /** Runs what looks on from outside: its failure ends the world, and is not taken for one of the app. */
  outside<A extends ReadonlyArray<unknown>>(look: (...args: A) => void): (...args: A) => void {
    return (...args) => {
      try {
        look(...args)
      } catch (error) {
        this.failure ??= { error }
      }
    }
  }

  /** A fiber that is ready to run. */
  enqueue(turn: Turn, run: () => void, rank?: Rank): void {
    if (this.ranking === undefined || rank === undefined) this.ready.push({ turn, run })
    else this.ranking.add(rank, turn, run)
  }

  /** Runs the fibers that are ready until none is. */
  settle(): void {
    if (this.ranking !== undefined) this.settleByRank(this.ranking)
    let turns = 0
    while (this.ready.length > 0) {
      const now = this.ready
      this.ready = []
      for (const { run, turn } of now) turn.take(run)
      if (this.failure !== undefined) throw this.failure.error
      turns += now.length
      if (turns > mostTurns) this.spins()
    }
  }

  private settleByRank(ranking: Ranking): void {
    let turns = 0
    ranking.at(this.micros)
    for (let next = ranking.take(); next !== undefined; next = ranking.take()) {
      next.turn.take(next.run)
      if (this.failure !== undefined) throw this.failure.error
      if (++turns > mostTurns) this.spins()
    }
  }

  private spins(): never {
    throw new Error(`The world spins at ${new Date(this.millis).toISOString()}`)
  }

  /** Goes on until a time in microseconds since the epoch; false where `until` said to stop before. */
  run(to: number, until?: () => boolean): boolean {
    this.settle()
    let instant = this.micros
    let steps = 0
    for (let next = this.agenda.first; next !== undefined && next.at <= to; next = this.agenda.first) {
      this.agenda.take()
      const { run, turn } = next
      if (run === undefined) continue
      this.micros = next.at
      steps = next.at === instant ? steps + 1 : 0
      instant = next.at
      if (steps > mostTurns) this.spins()
      if (turn === undefined) run()
      else turn.take(run)
      this.settle()
      if (this.failure !== undefined) throw this.failure.error
      if (until?.() === true) return false
    }
    this.micros = Math.max(this.micros, to)
    return true
  }
}
