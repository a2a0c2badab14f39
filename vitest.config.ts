import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { configDefaults, defineConfig } from "vitest/config"
import SlowestFirst from "./test/support/slowest-first.ts"

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** What changes nothing in its process may share one with others: a worker is started, and the modules are read, once. */
const shared = [
  "test/{domain,layers,services,programs,verifier,time-travel,simulation}/**/*.test.ts",
  "examples/*.test.ts",
  "test/gatewayConfig/{commands,crash,domain,drift,faults,lock,sync,year}.test.ts",
  "test/contracts/memory.test.ts"
]

export default defineConfig({
  resolve: {
    alias: [
      { find: /^job-collector\/testing$/, replacement: source("./src/testing/index.ts") },
      { find: /^job-collector\/verifier$/, replacement: source("./src/verifier/index.ts") },
      { find: /^job-collector$/, replacement: source("./src/index.ts") }
    ]
  },
  test: {
    globalSetup: ["test/support/global-setup.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    // Many files wait for processes and servers more than they compute: one more at a time than there are processors.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: SlowestFirst },
    // These end what hangs. What waits for something has a deadline of its own and says what it waited for.
    testTimeout: 120_000,
    hookTimeout: 180_000,
    projects: [
      { extends: true, test: { name: "shared", include: shared, isolate: false } },
      {
        extends: true,
        test: {
          name: "isolated",
          include: ["test/**/*.test.ts", "sandbox/**/*.test.ts"],
          exclude: [...configDefaults.exclude, ...shared]
        }
      }
    ]
  }
})
