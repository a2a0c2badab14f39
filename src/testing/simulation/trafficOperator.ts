/** An operator who sets traffic rules and lifts them again, by the very commands; and whether each is obeyed. */
import { Effect, Exit, Result } from "effect"
import { Command } from "effect/cli"
import { park, pause, resume, unpark } from "../../cli/traffic.ts"
import { defaultOptions } from "../../domain/options/options.ts"
import { isActive, type Rule, ruleName, rulesOf } from "../../domain/traffic/rules.ts"
import { rulesKey } from "../../services/EventStreams.ts"
import { scriptName } from "../../services/Scripts.ts"
import type { Exchange } from "../world/http.ts"
import type { Executed } from "../world/redis.ts"
import { mustBeAudited } from "./checkers/audited.ts"
import { type Checker, isPrompt, type Scene } from "./checkers/checker.ts"
import { commandLine, type Said, shellOf } from "./operator.ts"
import type { RuleVisit } from "./scenario.ts"

const root = Command.make("job-collector").pipe(Command.withSubcommands([pause, resume, park, unpark]))
const run = Command.runWith(root, { version: "simulated" })

/** A rule is obeyed within so many milliseconds. */
const graceMs = 2_000
/** After a failure a command is run again. */
const againMs = 1_000

export class TrafficOperator implements Checker {
  private readonly scene: Scene
  private readonly key: string
  /** Whether nothing keeps replicas that run from obeying in time. */
  private readonly prompt: boolean
  private open: number
  private serial = 0
  private stored = ""
  /** The rules that stand in Redis, and since when, in milliseconds after the world's start. */
  private standing: ReadonlyArray<{ readonly rule: Rule; readonly since: number }> = []

  constructor(scene: Scene) {
    this.scene = scene
    const { scenario, world } = scene
    const { rulePlan, streams, usualConditions } = scenario
    this.key = rulesKey(streams.transcribe, defaultOptions.consumerGroup)
    this.prompt = usualConditions.replyLost === undefined && isPrompt(scenario)
    this.open = rulePlan.length
    for (const visit of rulePlan) world.at(visit.at, () => this.set(visit))
  }

  /** Whether every rule was lifted, or has ended. */
  get idle(): boolean {
    return this.open === 0
  }

  private set(visit: RuleVisit): void {
    const { expires, forMs, kind } = visit
    const subject = kind === "park" ? ["user_id=user-1"] : []
    const over = () => {
      this.open -= 1
    }
    const lift = () => this.run([kind === "park" ? "unpark" : "resume", ...subject], over)
    this.run([kind, ...subject, ...(expires ? [`${forMs}ms`] : [])], () =>
      this.scene.world.kernel.after(forMs * 1_000, undefined, expires ? over : lift)
    )
  }

  /** Runs a command, again and again until it succeeds. */
  private run(args: ReadonlyArray<string>, then: () => void): void {
    const { scenario, world } = this.scene
    const said: Said = { out: [], err: [] }
    this.serial += 1
    const since = world.now
    const program = commandLine(run, shellOf(scenario), [...args, "--as", "operator"], said)
    world.launch(`traffic-${this.serial}`, Effect.asVoid(program), (exit) => {
      if (Exit.isSuccess(exit)) mustBeAudited(this.scene, args[0] ?? "", since)
      // What another rule's end has lifted already is no longer there to be lifted.
      if (Exit.isSuccess(exit) || (args[0] === "unpark" && /is not parked/.test(String(exit.cause)))) then()
      else world.kernel.after(againMs * 1_000, undefined, () => this.run(args, then))
    })
  }

  private refresh(): void {
    const found = this.scene.world.redis.look("GET", this.key)
    const stored = typeof found === "string" ? found : ""
    if (stored === this.stored) return
    this.stored = stored
    const known = new Map(this.standing.map((standing) => [JSON.stringify(standing.rule), standing]))
    const rules = stored === "" ? [] : Result.getOrElse(rulesOf(stored), () => [])
    const since = this.scene.world.elapsed
    this.standing = rules.map((rule) => known.get(JSON.stringify(rule)) ?? { rule, since })
  }

  readonly onExecuted = ({ args, name }: Executed): void => {
    if (name === "EVAL" && scriptName(args[0] ?? "") === "swap") this.refresh()
  }

  readonly onSent = ({ process, request }: Exchange): void => {
    const eventId = request.headers["idempotency-key"]
    if (!this.prompt || this.scene.scenario.rulePlan.length === 0 || eventId === undefined) return
    this.refresh()
    const { report, world } = this.scene
    for (const { rule, since } of this.standing) {
      const forMs = world.elapsed - since
      if (forMs <= graceMs || !isActive(rule, process.now) || !forbids(rule, request.text)) continue
      report("rule-ignored", `${eventId} by ${process.name}: ${ruleName(rule)} has stood for ${forMs} ms`)
    }
  }

  readonly atEnd = (): void => {
    if (!this.idle) this.scene.report("command-stuck", `${this.open} traffic rules are not lifted at the end`)
  }
}

/** Whether a rule says that a request must not be made. */
const forbids = (rule: Rule, body: string): boolean => {
  if (rule.kind !== "park") return rule.kind === "pause"
  const event: unknown = JSON.parse(body)
  return typeof event === "object" && event !== null && Reflect.get(event, rule.field) === rule.value
}
