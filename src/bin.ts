#!/usr/bin/env node
// Says so plainly on a Node.js that is too old, before loading anything that would fail there less plainly.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

/**
 * By itself V8 lets the service grow to some 400 MB, of which it needs 50: young objects get 128 MB, and old ones are
 * looked through only when they have grown by half. These limits hold it below 200 MB at no cost in speed.
 */
const heapLimits = ["--max-semi-space-size=16", "--heap-growing-percent=20"]

/** V8 takes them only at its start: the service replaces its own process, which keeps its id, by one that has them. */
const limitHeap = (): void => {
  const { argv, connected, env, execArgv, execPath, execve } = process
  const chosen = [...execArgv, env.NODE_OPTIONS ?? ""].some((option) => option.includes("semi-space"))
  if (argv[2] !== "run" || chosen || connected || execve === undefined) return
  try {
    execve(execPath, [execPath, ...heapLimits, ...execArgv, ...argv.slice(1)], env)
  } catch {
    // A system that cannot replace a process runs the service all the same.
  }
}

if (major > 22 || (major === 22 && minor >= 19)) {
  limitHeap()
  await import("./main.ts")
} else {
  process.stderr.write(`job-collector needs Node.js >= 22.19; this is ${process.versions.node}\n`)
  process.exitCode = 1
}
