import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The files that take longest, the longest first; those that wait and those that compute in turn, to run side by side. */
const slowest = [
  "gatewayConfig/crash.test.ts",
  "process/replicas.test.ts",
  "sandbox/demo.test.ts",
  "time-travel/delivery.test.ts",
  "gatewayConfig/kill.test.ts",
  "process/redis-faults.test.ts",
  "gatewayConfig/year.test.ts",
  "process/stop.test.ts",
  "sandbox/world.test.ts",
  "simulation/seeds.test.ts",
  "integration/operator-commands.test.ts",
  "integration/health.test.ts",
  "simulation/bugs.test.ts",
  "process/fault-run.test.ts",
  "process/cluster.test.ts"
]

/**
 * Starts the slowest files first, so that none of them is left over at the end while the other workers have nothing to do.
 * Vitest knows that by itself only where it has run before. Then come the files that share workers, one after the other.
 */
export default class SlowestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const rank = ({ moduleId, project }: TestSpecification) => {
      const at = slowest.findIndex((file) => moduleId.endsWith(file))
      if (at >= 0) return at
      return slowest.length + (project.config.isolate ? 1 : 0)
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
