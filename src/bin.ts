#!/usr/bin/env node
// Says so plainly on a Node.js that is too old, before loading anything that would fail there less plainly.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major > 22 || (major === 22 && minor >= 19)) {
  await import("./main.ts")
} else {
  process.stderr.write(`job-collector needs Node.js >= 22.19; this is ${process.versions.node}\n`)
  process.exitCode = 1
}
