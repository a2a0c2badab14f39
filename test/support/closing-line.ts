import type { Reporter, TestModule } from "vitest/node"

/** Ends a run with one plain line that any log reader understands: "N passed, N failed, N skipped". */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const count = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      const before = count.failed
      for (const test of module.children.allTests()) {
        const state = test.result().state
        if (state === "passed" || state === "failed") count[state] += 1
        else count.skipped += 1
      }
      // A file that could not be loaded or prepared fails without a failed test.
      if (module.state() === "failed" && count.failed === before) count.failed += 1
    }
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`)
  }
}
