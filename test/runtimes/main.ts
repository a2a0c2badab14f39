/**
 * `npm run runtimes`: runs the packed package on every runtime of this folder's package.json, and prints the table that
 * docs/runtimes.md has. Fails where something does not go, or where the page says something else.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../support/bundle.ts"
import { packHost } from "../support/packedHost.ts"
import { RedisServer } from "../support/redis-server.ts"
import { prepareWays, type Runtime, tryWay } from "../support/runtimes.ts"

const installed = (path: string) => join(import.meta.dirname, "node_modules", path)

const runtimes: ReadonlyArray<readonly [name: string, runtime: Runtime]> = [
  ["Node.js", [installed("node22/bin/node")]],
  ["Node.js", [installed("node24/bin/node")]],
  ["Node.js", [installed("node26/bin/node")]],
  ["Bun", [installed("@oven/bun-linux-x64/bin/bun")]],
  ["Deno", [installed("@deno/linux-x64-glibc/deno"), "run", "--allow-all", "--no-prompt"]]
]

const versionOf = ([file]: Runtime) =>
  /\d+\.\d+\.\d+/.exec(execFileSync(file, ["--version"], { encoding: "utf8" }))?.[0]

const row = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`

const absent = runtimes.filter(([, [file]]) => !existsSync(file))
if (absent.length > 0) {
  console.error(`not for this machine (Linux on x64 is needed): ${absent.map(([, [file]]) => file).join(", ")}`)
  process.exit(1)
}

const packed = packHost()
const redis = await RedisServer.start()
const failures: Array<string> = []
const rows: Array<string> = []
try {
  const ways = await prepareWays(packed, redis.url)
  rows.push(row(["", ...ways.map(({ title }) => title)]), row(["---", ...ways.map(() => "---")]))
  for (const [name, runtime] of runtimes) {
    const title = `${name} ${versionOf(runtime)}`
    const cells: Array<string> = []
    for (const way of ways) {
      const verdict = await tryWay(way, runtime, packed)
      cells.push(verdict.well ? "runs" : "**fails**")
      if (!verdict.well) failures.push(`${title}, ${way.title}:\n${verdict.said}`)
    }
    rows.push(row([title, ...cells]))
    console.log(rows.at(-1))
  }
} finally {
  await redis.stop()
  packed.remove()
}

const table = rows.join("\n")
console.log(`\n${table}`)
if (!readFileSync(join(root, "docs/runtimes.md"), "utf8").includes(table))
  failures.push("docs/runtimes.md has another table")
for (const failure of failures) console.error(`\n${failure}`)
process.exitCode = failures.length === 0 ? 0 : 1
