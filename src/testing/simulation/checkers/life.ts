/** The app never ends by itself, and its loops do not die. */
import { goneForGood } from "../livenessPlan.ts"
import type { Checker, Scene } from "./checker.ts"

export const life = ({ report, scenario, world }: Scene): Checker => ({
  onGone: (replica, _process, problem) => {
    if (problem !== undefined) report("ended", `${replica.name}: ${problem.split("\n")[0]}`)
  },
  atEnd: () => {
    const broken = goneForGood(scenario.faults, world.elapsed)
    for (const { collector, name, run } of world.replicas) {
      if (broken.has(name)) continue
      if (collector === undefined) report("ended", `${name} does not run at the end`)
      else if (run === undefined) report("ended", `${name} has no run at the end`)
    }
  }
})
