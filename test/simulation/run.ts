/**
 * `npm run simulate`: runs seeds of the simulated world, or one of them with its trace, or the table of deliberate bugs.
 *
 *     npm run simulate -- --seed 1 --seeds 1000 --time 10m --jobs 2
 *     npm run simulate -- --seed 17 --time 10m --faults 3,7 --trace good-42
 *     npm run simulate -- --seed 1 --time 365d --pace trickle
 *     npm run simulate -- --hours 8 --jobs 2
 *     npm run simulate -- --bugs
 */
import { writeFileSync } from "node:fs"
import { bugs } from "../../src/testing/simulation/bugs.ts"
import type { Pace } from "../../src/testing/simulation/scenario.ts"
import { shrink } from "../../src/testing/simulation/shrink.ts"
import { type Bug, simulate } from "../../src/testing/simulation/simulate.ts"
import { describe } from "../../src/testing/world/faults.ts"
import { misused, scriptFlags } from "../support/script-flags.ts"
import { bugDurationMs, keepSeed, seedOf } from "./bugSeeds.ts"
import { keepFailed } from "./failedSeeds.ts"
import { Hunt } from "./hunt.ts"
import { MarkTally } from "./marks/tally.ts"
import { RareTally, reportOf } from "./report.ts"
import { inThreads } from "./threads.ts"
import { optionsOf, type Result, type Task, type Underway } from "./worker.ts"

const help = `npm run simulate -- [flags]: runs seeds of the simulated world and checks every promise on each.

  --seed <n>        the first seed (1)
  --seeds <n>       how many seeds; without it one, or with --bugs the table of deliberate bugs
  --hours <n>       runs for so long: those that failed before, then new seeds and variations of those that got somewhere new
  --report <file>   where to write what was reached how often (with --hours simulation-report.md)
  --time <span>     simulated time of each, such as 10m, 2h or 365d (10m)
  --pace <pace>     busy or trickle (busy)
  --jobs <n>        worlds at a time, each in a thread (1)
  --faults <n,…>    only these faults of the seed
  --trace <event>   prints what happened to one event, or to all
  --bug <name>      with this deliberate bug built in
  --bugs            every deliberate bug, and the seed that finds it: with --time 2m kept in test/simulation/bug-seeds.json,
                    to be committed
  --unattended      without the operator
  --once            each seed once, without the check that it repeats
  --hashes          prints a hash of each world
  --marks           prints how often each branch of the decisions and each rare state was reached, and in how many worlds
  --variation <n>   the seed's settings and plans in another order of things; an odd number has other faults as well

A seed that fails is kept in test/simulation/failed-seeds.json, to be committed. Exit code 1 where any fails.
`

const values = scriptFlags(help, {
  seed: { type: "string", default: "1" },
  seeds: { type: "string" },
  time: { type: "string", default: "10m" },
  pace: { type: "string", default: "busy" },
  jobs: { type: "string", default: "1" },
  faults: { type: "string" },
  trace: { type: "string" },
  bug: { type: "string" },
  bugs: { type: "boolean", default: false },
  unattended: { type: "boolean", default: false },
  once: { type: "boolean", default: false },
  hashes: { type: "boolean", default: false },
  hours: { type: "string" },
  report: { type: "string" },
  marks: { type: "boolean", default: false },
  variation: { type: "string", default: "0" }
})

const yearMs = 365 * 86_400_000
const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const yearsAnHour = (simulatedMs: number, cpuMs: number): number => simulatedMs / yearMs / (cpuMs / 3_600_000)

/** How far a world is that still runs, in a line. */
const underwayLine = ({ again, cpuMs, task, ...so }: Underway): string =>
  [
    `seed ${task.seed}${again ? ", again" : ""}: ${((100 * so.elapsedMs) / task.durationMs).toFixed(1)} % of ${values.time}`,
    `${so.produced} events, ${so.remembered} of them remembered, ${so.faults} faults, ${so.violations} violations`,
    `${Math.round(cpuMs / 1_000)} s of CPU, ${yearsAnHour(so.elapsedMs, cpuMs).toFixed(2)} years an hour`
  ].join("; ")

const millis = (text: string): number => {
  const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  if (!(unit in units)) misused(`--time must be a number and ms, s, m, h or d: ${text}`)
  return Number(amount) * units[unit as keyof typeof units]
}

const count = (name: string, text: string): number => {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0) misused(`--${name} must be a whole number: ${text}`)
  return number
}

const first = count("seed", values.seed)
const durationMs = millis(values.time)
const faults = values.faults
  ?.split(",")
  .filter((text) => text !== "")
  .map((text) => count("faults", text))
const jobs = Math.max(1, count("jobs", values.jobs))

const paceOf = (text: string): Pace => {
  if (text !== "busy" && text !== "trickle") return misused(`--pace must be busy or trickle: ${text}`)
  return text
}
const operator = !values.unattended
const pace = paceOf(values.pace)
const reportFile = values.report ?? (values.hours === undefined ? undefined : "simulation-report.md")
const variation = count("variation", values.variation)

if (values.bug !== undefined && !bugs.some(({ name }) => name === values.bug)) {
  misused(`--bug must be one of ${bugs.map(({ name }) => name).join(", ")}`)
}

const print = (line: string) => console.log(line)

const command = (task: Task, kept: ReadonlyArray<number> | undefined, event: string | undefined): string =>
  [
    `npm run simulate -- --seed ${task.seed} --time ${task.durationMs / 1_000}s`,
    ...(task.pace === "busy" ? [] : [`--pace ${task.pace}`]),
    ...(task.variation === 0 ? [] : [`--variation ${task.variation}`]),
    ...(kept === undefined ? [] : [`--faults ${kept.length === 0 ? "''" : kept.join(",")}`]),
    ...(task.operator ? [] : ["--unattended"]),
    ...(task.bug === undefined ? [] : [`--bug ${task.bug}`]),
    `--trace ${event ?? "all"}`
  ].join(" ")

const explain = (result: Result): void => {
  const { violations } = result
  let { task } = result
  print(`\nseed ${task.seed} breaks ${new Set(violations.map(({ rule }) => rule)).size} rules:`)
  for (const { at, detail, phase, rule } of violations.slice(0, 10))
    print(`  ${(at / 1_000).toFixed(3)} s  ${phase}, ${rule}: ${detail}`)
  const [violation] = violations
  if (violation === undefined) return
  const event = /\b(?:good|rejected|failing|invalid|garbled|poison)-\d+\b/.exec(violation.detail)?.[0]
  print(`  again: ${command(task, task.faults, event)}`)
  if (task.operator) {
    const alone = simulate({ ...optionsOf(task), operator: false })
    const same = alone.violations.some(({ rule }) => rule === violation.rule)
    print(`  it breaks that ${same ? "without its operator as well" : "only with its operator"}`)
    if (same) task = { ...task, operator: false }
  }
  print(`  looking for the faults it needs, of ${result.faults} …`)
  const kept = shrink(optionsOf(task), violation.rule, result.faults)
  const { scenario } = simulate({ ...optionsOf(task), faults: kept })
  print(`  it needs ${kept.length}:`)
  for (const fault of scenario.faults) print(`    ${describe(fault)}`)
  print(`  again: ${command(task, kept, event)}`)
}

const traceOne = (): boolean => {
  const task: Task = { seed: first, durationMs, pace, variation, faults, operator, bug: values.bug, twice: false }
  const { hash, tally, trace, violations } = simulate({ ...optionsOf(task), trace: true })
  const wanted = values.trace === "all" || values.trace === undefined ? undefined : values.trace
  const start = trace[0]?.at ?? 0
  // The events whose ids merely begin with the wanted one are others.
  const named = wanted === undefined ? undefined : new RegExp(`${wanted.replace(/[^\w-]/g, "\\$&")}(?!\\d)`)
  for (const { at, detail, what, who } of trace) {
    if (named !== undefined && what !== "begins" && what !== "ends" && what !== "starts" && !named.test(detail))
      continue
    print(
      `${((at - start) / 1_000).toFixed(6).padStart(13)}  ${who.padEnd(10)}  ${what.padEnd(10)}  ${detail.slice(0, 500)}`
    )
  }
  print(JSON.stringify({ seed: first, hash, ...tally }))
  for (const { at, detail, rule } of violations) print(`${(at / 1_000).toFixed(3)} s  ${rule}: ${detail}`)
  return violations.length === 0
}

function* tasksOf(seeds: number, bug: string | undefined): Generator<Task> {
  for (let seed = first; seed < first + seeds; seed++) {
    yield { seed, durationMs, pace, variation, faults, operator, bug, twice: !values.once && bug === undefined }
  }
}

/** What is added up over the seeds, of each one's tally. */
const summed = [
  "produced",
  "delivered",
  "abandoned",
  "replayed",
  "lostByRedis",
  "recovered",
  "repeated",
  "commands"
] as const
type Sums = Record<(typeof summed)[number] | "faults", number>

/** Runs the tasks and tells of them; `seeds` is how many there are, undefined where that is a matter of time. */
const manySeeds = async (
  seeds: number | undefined,
  tasks: Iterator<Task>,
  marks: MarkTally,
  took: (result: Result) => void
): Promise<boolean> => {
  const started = Date.now()
  let shown = started
  let done = 0
  let simulatedMs = 0
  let cpuMs = 0
  let peakMb = 0
  const sums = { ...Object.fromEntries(summed.map((name) => [name, 0])), faults: 0 } as Sums
  const failing: Array<Result> = []
  const rare = new RareTally()
  const figures = () => {
    const perCpu = cpuMs / 1_000
    const years = yearsAnHour(simulatedMs, cpuMs)
    return `${Math.round(simulatedMs / 1_000 / perCpu)} × real time (${years.toFixed(2)} years an hour), ${Math.round(sums.delivered / perCpu)} deliveries and ${Math.round(sums.commands / perCpu)} commands a second of CPU`
  }
  const isTime = (): boolean => {
    if (Date.now() - shown < 10_000) return false
    shown = Date.now()
    return true
  }
  const onUnderway = (underway: Underway) => {
    if (isTime()) print(underwayLine(underway))
  }
  const onResult = (result: Result): boolean => {
    done += 1
    simulatedMs += result.tally.elapsedMs
    cpuMs += result.cpuMs
    peakMb = Math.max(peakMb, result.peakMb)
    took(result)
    rare.add(result.rare)
    sums.faults += result.faults
    for (const name of summed) sums[name] += result.tally[name]
    if (values.hashes) print(`${result.task.seed} ${result.hash}`)
    if (result.violations.length > 0) {
      failing.push(result)
      keepFailed(result)
      print(
        `seed ${result.task.seed}${result.task.variation === 0 ? "" : `/${result.task.variation}`}: ${result.violations[0]?.rule}: ${result.violations[0]?.detail}`
      )
    }
    if (isTime()) {
      print(
        `${seeds === undefined ? done : `${done} of ${seeds}`} seeds, ${failing.length} failing, ${Math.round((shown - started) / 1_000)} s; ${figures()}`
      )
    }
    return seeds !== undefined && failing.length >= 10
  }
  await inThreads(jobs, tasks, onResult, onUnderway)
  print(`${done} seeds of ${values.time}: ${failing.length} failing, ${((Date.now() - started) / 1_000).toFixed(1)} s`)
  print(`${(simulatedMs / 3_600_000).toFixed(2)} simulated hours; ${figures()}; ${Math.round(peakMb)} MiB at most`)
  print(JSON.stringify(sums))
  if (values.marks) for (const line of [...marks.lines, ...rare.lines]) print(line)
  // Of one world alone it says little.
  for (const name of done > 1 ? marks.missing : []) print(`never reached: ${name}`)
  print(`${marks.summary}; ${rare.summary}`)
  if (reportFile !== undefined) {
    const worlds = `${done} worlds, ${(simulatedMs / 3_600_000).toFixed(2)} simulated hours, ${Math.round(cpuMs / 1_000)} s of CPU`
    const failed = failing.map((result) => ({ command: command(result.task, undefined, undefined), result }))
    writeFileSync(reportFile, reportOf({ figures: [worlds, figures()], failing: failed, marks, rare }))
    print(`the report is in ${reportFile}`)
  }
  for (const result of failing.sort((a, b) => a.task.seed - b.task.seed).slice(0, 3)) explain(result)
  return failing.length === 0
}

/** The seeds that may find a bug: the one that did when it was looked for last is the first. */
function* bugTasks(bug: Bug, seeds: number, pinned: number | undefined): Generator<Task> {
  for (const task of tasksOf(seeds, bug.name)) {
    if (task.seed === first && pinned !== undefined) yield { ...task, seed: pinned, untilRule: bug.rule }
    if (task.seed !== pinned) yield { ...task, untilRule: bug.rule }
  }
}

const bugTable = async (seeds: number): Promise<boolean> => {
  const missed: Array<string> = []
  const isAsTested = durationMs === bugDurationMs && pace === "busy" && operator && variation === 0
  for (const bug of bugs) {
    if (values.bug !== undefined && bug.name !== values.bug) continue
    const pinned = isAsTested ? seedOf(bug) : undefined
    let found: number | undefined
    let cpuMs = 0
    const onResult = (result: Result) => {
      if (result.violations.some(({ rule }) => rule === bug.rule) && found === undefined) {
        found = result.task.seed
        cpuMs = result.cpuMs
      }
      return found !== undefined
    }
    await inThreads(jobs, bugTasks(bug, seeds, pinned), onResult)
    if (found === undefined) missed.push(bug.name)
    else if (isAsTested && found !== pinned) keepSeed(bug, found)
    const verdict =
      found === undefined ? `NOT FOUND in ${seeds} seeds` : `seed ${found}, ${(cpuMs / 1_000).toFixed(1)} s`
    print(`${bug.name.padEnd(26)} ${bug.rule.padEnd(20)} ${verdict.padEnd(22)} ${bug.wrong}`)
  }
  if (missed.length > 0) print(`not found: ${missed.join(", ")}`)
  return missed.length === 0
}

const marks = new MarkTally()
const countMarks = (result: Result) => marks.add(result.marks)

const hunted = (text: string): Promise<boolean> => {
  const hours = Number(text)
  if (!(hours > 0)) return misused(`--hours must be a number above 0: ${text}`)
  const task: Task = {
    seed: first,
    durationMs,
    pace,
    variation: 0,
    faults,
    operator,
    bug: undefined,
    twice: !values.once
  }
  const hunt = new Hunt(hours, marks, task)
  return manySeeds(undefined, hunt, marks, (result) => hunt.took(result))
}

const seeded = (text: string): Promise<boolean> => {
  const seeds = count("seeds", text)
  return manySeeds(seeds, tasksOf(seeds, values.bug), marks, countMarks)
}

const good =
  values.trace !== undefined
    ? traceOne()
    : values.bugs
      ? await bugTable(count("seeds", values.seeds ?? "200"))
      : await (values.hours === undefined ? seeded(values.seeds ?? "1") : hunted(values.hours))
process.exitCode = good ? 0 : 1
