/**
 * `npm run mutate`: changes the code that decides deliveries and configurations, one small change at a time, and runs the
 * tests that have to notice it.
 *
 *     npm run mutate
 *     npm run mutate -- --file circuits
 *     npm run mutate -- --page docs/mutation-testing.md
 */
import { readFileSync, writeFileSync } from "node:fs"
import { scriptFlags } from "../support/script-flags.ts"
import { mutants } from "./mutants.ts"
import { pageOf } from "./table.ts"
import { type Trial, Workshop } from "./workshop.ts"

const help = `npm run mutate -- [flags]: runs the tests that have to notice each small change of test/mutation/mutants.ts.

Exit code 1 where one is not noticed, and nothing says why.

  --file <text>     only changes of files whose name has this in it
  --page <file>     where to write the table
`

const values = scriptFlags(help, { file: { type: "string" }, page: { type: "string" } })

const workshop = new Workshop()
const trials: Array<Trial> = []
const started = Date.now()
for (const mutant of mutants) {
  if (values.file !== undefined && !mutant.file.includes(values.file)) continue
  const trial = mutant.equivalent === undefined ? await workshop.try(mutant) : { mutant, killedBy: undefined }
  trials.push(trial)
  const verdict = trial.killedBy ?? (mutant.equivalent === undefined ? "SURVIVED" : "equivalent")
  console.log(`${mutant.file}  ${mutant.was.trim()} → ${mutant.becomes.trim() || "(removed)"}\n  ${verdict}`)
}
await workshop.close()

const survivors = trials.filter(({ killedBy, mutant }) => killedBy === undefined && mutant.equivalent === undefined)
console.log(
  `${trials.length} changes, ${survivors.length} not noticed, ${Math.round((Date.now() - started) / 1_000)} s`
)
if (values.page !== undefined) {
  writeFileSync(values.page, pageOf(readFileSync(values.page, "utf8"), trials))
}
process.exitCode = survivors.length === 0 ? 0 : 1
