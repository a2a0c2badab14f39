/**
 * `npm run fuzz`: tries mutants of hostile inputs on everything that reads what others wrote.
 *
 *     npm run fuzz -- --minutes 5
 *     npm run fuzz -- --minutes 1 --target entries --seed 17
 */
import { misused, scriptFlags } from "../support/script-flags.ts"
import { keep } from "./corpus.ts"
import { fuzz } from "./fuzzer.ts"
import { closeTargets, targets } from "./targets.ts"

const help = `npm run fuzz -- [flags]: tries mutants of hostile inputs on everything that reads what others wrote.

  --minutes <n>     how long in all, such as 5 or 0.5 (1)
  --target <name>   only this target: ${targets.map(({ name }) => name).join(", ")}
  --seed <text>     other mutants for another seed (1)
`

const values = scriptFlags(help, {
  minutes: { type: "string", default: "1" },
  target: { type: "string" },
  seed: { type: "string", default: "1" }
})

const minutes = Number(values.minutes)
if (!Number.isFinite(minutes) || minutes <= 0) misused(`--minutes must be a number above 0: ${values.minutes}`)
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) misused(`--target must be one of ${targets.map(({ name }) => name).join(", ")}`)

const ms = (minutes * 60_000) / chosen.length
let found = 0
for (const target of chosen) {
  const { executions, finds, outcomes } = await fuzz(target, values.seed, { executions: Number.POSITIVE_INFINITY, ms })
  process.stdout.write(
    `${target.name.padEnd(10)} ${executions} executions, ${outcomes} outcomes, ${finds.length} finds\n`
  )
  for (const find of finds) process.stdout.write(`  ${find.problem}: kept as test/fuzz/corpus/${keep(find)}\n`)
  found += finds.length
}
await closeTargets()
process.exitCode = found > 0 ? 1 : 0
