#!/usr/bin/env node
// Says so plainly on a Node.js that is too old, before loading anything that would fail there less plainly.
import { keepCompiledCode } from "./layers/node/CompileCache.ts"

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

/** Loading takes a second, in which nothing runs that a signal would have to end. The first process of a container has no default. */
const endAtOnce = () => process.exit(0)

if (major > 22 || (major === 22 && minor >= 19)) {
  process.on("SIGTERM", endAtOnce).on("SIGINT", endAtOnce)
  // Node's own answer is a debugger that listens: whoever may connect to it has the private key.
  process.on("SIGUSR1", () => {})
  keepCompiledCode()
  await import("./main.ts")
  process.off("SIGTERM", endAtOnce).off("SIGINT", endAtOnce)
} else {
  process.stderr.write(`job-collector needs Node.js >= 22.19; this is ${process.versions.node}\n`)
  process.exitCode = 1
}
