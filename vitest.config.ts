import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^job-collector\/testing$/, replacement: source("./src/testing/index.ts") },
      { find: /^job-collector$/, replacement: source("./src/index.ts") }
    ]
  },
  test: {
    include: ["test/**/*.test.ts", "sandbox/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    reporters: ["default", "./test/support/closing-line.ts"],
    // These end what hangs. What waits for something has a deadline of its own and says what it waited for.
    testTimeout: 120_000,
    hookTimeout: 180_000
  }
})
