/** Writes `unreached.json` anew, from the worlds of the test command: after a change of the code that decides. */
import { reducedSeeds } from "../reducedSeeds.ts"
import { WorldThread } from "../threads.ts"
import { MarkTally } from "./tally.ts"
import { acceptMarks } from "./unreached.ts"

const marks = new MarkTally()
const thread = new WorldThread()
for (const task of reducedSeeds) marks.add((await thread.run(task)).marks)
await thread.end()
acceptMarks(marks)
process.stdout.write(`${marks.missingInTest.length} marks more are rarer, ${marks.stale.length} are gone\n`)
if (marks.mistaken.length > 0)
  process.stdout.write(`Reached, though no world gets there:\n${marks.mistaken.join("\n")}\n`)
