/**
 * A gateway process: it serves HTTP, reads the files behind `current` at its start and on SIGHUP, and reports the
 * version it runs at `/status`. Arguments: the folder, the pid file. It prints its port once it handles the signal.
 */
import { readFileSync, realpathSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"

const [directory = "", pidFile = ""] = process.argv.slice(2)
let version = 0
const load = (): void => {
  const folder = realpathSync(`${directory}/current`)
  const versions = ["openai.conf", "models.conf", "limits.conf"].map(
    (name): number => JSON.parse(readFileSync(`${folder}/${name}`, "utf8")).version
  )
  if (new Set(versions).size !== 1) throw new Error(`a mixture: ${versions}`)
  version = versions[0] ?? 0
}

const server = createServer((_, response) => {
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify({ version }))
})
process.on("SIGHUP", load)
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  writeFileSync(pidFile, `${process.pid}\n`)
  process.stdout.write(`${typeof address === "object" ? address?.port : 0}\n`)
})
