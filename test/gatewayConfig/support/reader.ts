/** A worker that resolves `current` in a tight loop and reads the three files behind it, as a gateway would. */
import { readFileSync, readlinkSync } from "node:fs"
import { parentPort, workerData } from "node:worker_threads"

const directory = String(workerData)
const counts = { reads: 0, mixtures: 0, gone: 0, seen: new Set<number>() }

const read = (): void => {
  try {
    const folder = `${directory}/${readlinkSync(`${directory}/current`)}`
    const versions = ["openai.conf", "models.conf", "limits.conf"].map(
      (name): number => JSON.parse(readFileSync(`${folder}/${name}`, "utf8")).version
    )
    counts.reads += 1
    for (const version of versions) counts.seen.add(version)
    if (new Set(versions).size !== 1) counts.mixtures += 1
  } catch (cause) {
    // Nothing is installed yet, or the generation is three installs old already: resolve again.
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOENT")) throw cause
    counts.gone += 1
  }
}

let going = true
parentPort?.on("message", () => {
  going = false
  parentPort?.postMessage({ ...counts, seen: counts.seen.size })
  parentPort?.close()
})
const loop = (): void => {
  for (let n = 0; n < 20; n++) read()
  if (going) setImmediate(loop)
}
loop()
