/** Loaded before all else in a thread (`--import`), it has the marked modules read with their counters. */
import { registerHooks } from "node:module"
import { makeCounters, markAll } from "./marked.ts"

makeCounters()
const { sources } = markAll()
registerHooks({
  load: (url, context, next) => {
    const source = sources.get(url)
    return source === undefined ? next(url, context) : { format: "module-typescript", source, shortCircuit: true }
  }
})
