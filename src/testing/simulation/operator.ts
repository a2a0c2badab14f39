/** The operator of a simulation: runs the very command that a person would, and again where it failed. */
import { ConfigProvider, Console, Effect, Exit, FileSystem, Layer, Path, Stdio, Terminal } from "effect"
import { Command } from "effect/cli"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import { abandoned } from "../../cli/abandoned/index.ts"
import { Misused, RedisUnusable, ServerRedis } from "../../cli/operator.ts"
import { Redis } from "../../services/Redis.ts"
import type { Chance } from "../world/chance.ts"
import type { LaunchedProcess } from "../world/launchedProcess.ts"
import type { Process } from "../world/process.ts"
import { mustBeAudited } from "./checkers/audited.ts"
import type { Checker, Scene } from "./checkers/checker.ts"
import type { Mishap, OperatorVisit, Scenario } from "./scenario.ts"
import type { StreamEvent } from "./streamEvents.ts"

/** Runs of one command that a person has the patience for while things go wrong. */
const mostTries = 5
/** How long a command may take beside what its rate makes it wait, in milliseconds. */
const patienceMs = 120_000

/** What a run of the command said, a line each. */
export interface Said {
  readonly out: Array<string>
  readonly err: Array<string>
}

const consoleOf = ({ err, out }: Said): Console.Console =>
  Object.assign(Object.create(globalThis.console), {
    log: (...texts: ReadonlyArray<unknown>) => out.push(texts.join(" ")),
    error: (...texts: ReadonlyArray<unknown>) => err.push(texts.join(" "))
  })

/** What a command line has around it, and this command has no use for. */
const surroundings = Layer.mergeAll(
  FileSystem.layerNoop({}),
  Path.layer,
  Stdio.layerTest({}),
  Layer.succeed(
    Terminal.Terminal,
    Terminal.make({
      columns: Effect.succeed(80),
      rows: Effect.succeed(24),
      size: Effect.die("the terminal is not looked at"),
      readInput: Effect.die("nothing is asked"),
      readLine: Effect.die("nothing is asked"),
      display: () => Effect.void
    })
  ),
  Layer.mock(ChildProcessSpawner, {})
)

/** Runs a command with these arguments at the world's Redis, as a process of its own does. */
export const commandLine = Effect.fnUntraced(function* <E, R>(
  run: (args: ReadonlyArray<string>) => Effect.Effect<void, E, R>,
  environment: Readonly<Record<string, string>>,
  args: ReadonlyArray<string>,
  said: Said
) {
  const redis = yield* Redis
  return yield* run(args).pipe(
    Effect.provideService(ServerRedis, () => Layer.succeed(Redis, redis)),
    Effect.provideService(Console.Console, consoleOf(said)),
    Effect.provide(Layer.merge(surroundings, ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))))
  )
})

/** One run, and what its end is judged by. */
interface Run {
  readonly visit: OperatorVisit
  /** The entry meant, where it is one. */
  readonly wanted: string | undefined
  readonly attempt: number
  readonly startedAt: number
  /** Ids in the abandoned stream when it started. */
  readonly found: ReadonlyArray<string>
  readonly said: Said
  readonly disturbed: boolean
}

/** What a run says that it put back: with its end, or when it was stopped. */
const doneOf = ({ err, out }: Said): number | undefined => {
  const last = out.at(-1)
  if (last !== undefined) {
    const { replayed }: { replayed?: unknown } = JSON.parse(last)
    return Number(replayed)
  }
  const stopped = /^stopped: (\d+) replayed/.exec(err.at(-1) ?? "")
  return stopped === null ? undefined : Number(stopped[1])
}

const runCommand = Command.runWith(abandoned, { version: "simulated" })

/** The settings of an operator's shell. */
export const shellOf = ({ streams }: Scenario): Readonly<Record<string, string>> => ({
  REDIS_URL: "redis://simulated",
  STREAM_TRANSCRIBE: streams.transcribe,
  STREAM_PROCESS: streams.process,
  STREAM_DLQ: streams.dlq,
  STREAM_ABANDONED: streams.abandoned
})

export class Operator implements Checker {
  /** Whether what made events fail for good is mended. */
  mended = false
  private readonly scene: Scene
  private readonly chance: Chance
  private readonly environment: Readonly<Record<string, string>>
  private open: number
  private serial = 0
  /** How much each run put back, as Redis has it. */
  private readonly done = new WeakMap<Process, number>()

  constructor(scene: Scene) {
    this.scene = scene
    const { scenario, world } = scene
    const { operatorPlan } = scenario
    this.chance = world.kernel.chance.fork("operator")
    this.environment = shellOf(scenario)
    this.open = operatorPlan.length
    for (const visit of operatorPlan) world.at(visit.at, () => this.begin(visit))
  }

  /** Whether nothing is left to be done. */
  get idle(): boolean {
    return this.open === 0
  }

  private begin(visit: OperatorVisit): void {
    this.mended = visit.mended
    const { records, scenario, world } = this.scene
    let wanted: string | undefined
    if (visit.what === "entry" || visit.what === "event") {
      const entries = world.entries(scenario.streams.abandoned)
      const id = entries[this.chance.int(0, entries.length - 1)]?.id
      const event = id === undefined ? undefined : records.at(scenario.streams.abandoned, id)?.record.produced
      // Of one that is not valid nobody can tell the id.
      wanted =
        visit.what === "event" && event?.nature !== "invalid" && event?.nature !== "garbled" ? event?.eventId : id
      if (wanted === undefined) {
        this.end()
        return
      }
    }
    this.run(visit, wanted, 1)
  }

  private end(): void {
    this.open -= 1
  }

  private run(visit: OperatorVisit, wanted: string | undefined, attempt: number): void {
    const { scenario, world } = this.scene
    const said: Said = { out: [], err: [] }
    const which = wanted !== undefined ? [wanted] : visit.what === "all" ? ["--all"] : ["--reason", visit.what]
    const args = ["replay", "--yes", "--json", "--rate", String(visit.rate), ...which]
    const mishap = attempt === 1 ? visit.mishap : undefined
    const run: Run = {
      visit,
      wanted,
      attempt,
      startedAt: world.elapsed,
      found: world.entries(scenario.streams.abandoned).map(({ id }) => id),
      said,
      disturbed: mishap !== undefined || world.elapsed < scenario.durationMs + 1_000
    }
    this.serial += 1
    const name = `operator-${this.serial}`
    const launched = world.launch(name, commandLine(runCommand, this.environment, args, said), (exit) => {
      this.ended(run, exit, launched.process)
    })
    if (mishap !== undefined) {
      world.kernel.after(mishap.after * 1_000, undefined, () => this.befalls(mishap, run, launched))
    }
    const mostMs = (run.found.length * 1_000) / visit.rate + patienceMs
    world.kernel.after(mostMs * 1_000, undefined, () => this.look(run, launched))
  }

  private befalls({ kind }: Mishap, run: Run, launched: LaunchedProcess<unknown, unknown>): void {
    const { kernel, redis } = this.scene.world
    const { process } = launched
    if (!process.alive) return
    switch (kind) {
      case "interrupt":
        launched.interrupt()
        break
      case "kill":
        launched.kill()
        this.again(run)
        break
      case "pause":
        process.pause()
        kernel.after(this.chance.exponential(10_000_000), undefined, () => process.resume())
        break
      case "reset":
        redis.reset(process.name)
        break
      case "stall":
        redis.cut(process.name, "stall")
        redis.mend(process.name)
    }
  }

  private look({ startedAt }: Run, { process }: LaunchedProcess<unknown, unknown>): void {
    if (process.alive) this.scene.report("command-stuck", `${process.name}, since ${startedAt} ms`)
  }

  private ended(run: Run, exit: Exit.Exit<unknown, unknown>, process: Process): void {
    const { report, scenario, world } = this.scene
    const put = this.done.get(process) ?? 0
    const says = doneOf(run.said)
    if (says !== undefined && says !== put) report("replay-miscounted", `${process.name} says ${says}, and did ${put}`)
    const left = new Set(world.entries(scenario.streams.abandoned).map(({ id }) => id))
    if (Exit.isSuccess(exit)) {
      if (says === undefined) report("replay-silent", process.name)
      const passed = run.visit.what === "all" ? run.found.filter((id) => left.has(id) && this.isOurs(id)) : []
      if (put > 0) mustBeAudited(this.scene, "abandoned replay", run.startedAt + world.now - world.elapsed)
      if (passed.length > 0) report("replay-passed-over", `${process.name}: ${passed.join(", ")}`)
      this.end()
      return
    }
    const [reason] = exit.cause.reasons
    const error = reason?._tag === "Fail" ? reason.error : reason
    // Somebody was quicker, or the answer of an earlier run was lost.
    if (error instanceof Misused && run.wanted !== undefined) {
      this.end()
      return
    }
    const excused = error instanceof RedisUnusable || reason?._tag === "Interrupt"
    if (!excused || !run.disturbed) report("command-failed", `${process.name}: ${String(error)}`)
    this.again(run)
  }

  /** Whether a replay can put an entry back: no event's that was too large to be kept, nor one that nobody gave up. */
  private isOurs(id: string): boolean {
    const { records, scenario } = this.scene
    const { abandoned } = scenario.streams
    const produced = records.at(abandoned, id)?.record.produced
    return produced !== undefined && !produced.fields.some((text) => text.length > 1_048_576)
  }

  /** Runs it again after a while, as somebody would who saw it fail; while things go wrong, not for ever. */
  private again({ attempt, visit, wanted }: Run): void {
    const { scenario, world } = this.scene
    if (attempt >= mostTries && visit.at < scenario.durationMs) this.end()
    else world.kernel.after(visit.againMs * 1_000, undefined, () => this.run(visit, wanted, attempt + 1))
  }

  readonly onStreamEvent = (streamEvent: StreamEvent, process: Process | undefined): void => {
    if (streamEvent._tag !== "Replayed" || process === undefined) return
    this.done.set(process, (this.done.get(process) ?? 0) + 1)
  }

  readonly atEnd = (): void => {
    if (!this.idle) this.scene.report("command-stuck", `${this.open} commands are not done at the end`)
  }
}
