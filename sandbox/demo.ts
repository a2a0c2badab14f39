import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { misused, scriptFlags } from "../test/support/script-flags.ts"
import { audit, type Ledger, type LedgerLine } from "./audit.ts"
import { Screen } from "./demo/screen.ts"
import { play, scripts } from "./demo/script.ts"
import { Watch } from "./demo/watch.ts"
import { users, usersWithoutCredits } from "./gateway/events.ts"
import { Listener } from "./listener.ts"
import { World } from "./world.ts"

const help = `npm run demo: the whole diagram with real processes, with incidents, and a ledger at its end.

  --quick                     a short one, of about half a minute
  --keep                      no incidents and no end: to play with (npm run sandbox)
  --redis auto|server|embedded  default auto: the machine's redis-server, else the embedded engine
  --seed <text>               other events
  --build                     build the collector first (npm run demo does)

DATABASE_URL names a PostgreSQL to use instead of the embedded database.
`

const values = scriptFlags(help, {
  build: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  keep: { type: "boolean", default: false },
  redis: { type: "string", default: "auto" },
  seed: { type: "string", default: "demo" }
})

const root = fileURLToPath(new URL("..", import.meta.url))

/** Whose WebSocket the demo listens to. */
const listened = users[0]!

const run = async (screen: Screen): Promise<boolean> => {
  const { build, keep, quick, redis, seed } = values
  if (redis !== "auto" && redis !== "server" && redis !== "embedded") {
    return misused(`--redis must be auto, server or embedded, not ${redis}`)
  }
  if (build) {
    screen.announce("Building …")
    execFileSync("npm", ["run", "--silent", "build"], { cwd: root, stdio: "inherit" })
  }
  screen.announce("Starting Redis, the database, the jobs API, the gateway and the collector …")
  const script = scripts[quick ? "quick" : "full"]
  const world = await World.start({
    redis,
    onStep: (step) => screen.announce(step),
    databaseUrl: process.env.DATABASE_URL === "" ? undefined : process.env.DATABASE_URL,
    seed,
    users: [
      ...users.map((id) => ({ id, credits: 100_000_000 })),
      // In the short demo nobody waits for the retries of who never pays.
      ...usersWithoutCredits.map((id) => ({ id, credits: quick || keep ? 100_000_000 : 0 }))
    ]
  })
  let stopping = false
  const stop = (code: number) => {
    if (stopping) return
    stopping = true
    void world.stop().finally(() => {
      screen.close()
      process.exit(code)
    })
  }
  process.once("SIGINT", () => stop(keep ? 0 : 130))
  process.once("SIGTERM", () => stop(143))
  process.once("SIGHUP", () => stop(129))

  const watch = new Watch(world, screen, keep ? undefined : script.events)
  const listener = new Listener(world.api.url, listened)
  try {
    screen.announce(
      `Running on ${world.redisKind === "embedded" ? "the embedded Redis engine" : "redis-server"} and ${
        world.databaseKind === "embedded" ? "the embedded PostgreSQL (PGlite)" : "PostgreSQL"
      }.`
    )
    if (keep) {
      screen.announce(`Jobs API  ${world.api.url}/docs · operator's token ${world.operatorToken}`)
      screen.announce(`Gateway   ${world.gateway.url}/status · files in ${world.configDirectory}`)
      screen.announce(`Collector ${world.collectorUrl}/health · /metrics`)
      screen.announce("20 events a second, until you press Ctrl-C.")
      await world.gateway.produce({ count: 1_000_000, rate: 20 })
      await new Promise(() => undefined)
    }
    await play(world, watch, screen, script)
    const { version } = await world.gateway.status()
    const { configuration_version: served } = await world.operator("GET", "/ledger")
    watch.stop()
    const collectorEnd = await world.collector.stop()
    await listener.quiet()
    listener.close()
    const apiEnd = await world.api.child.stop()
    const books = await audit(world)
    const own = books.jobIds(listened)
    const heardOnce = listener.heard.length === own.length && own.every((id, i) => listener.heard[i] === id)
    const more: ReadonlyArray<LedgerLine> = [
      {
        what: "a WebSocket client heard of each job once",
        figures: `${listened}: ${listener.heard.length} of ${own.length}, in order`,
        balanced: heardOnce
      },
      {
        what: "the gateway runs what the API serves",
        figures: `version ${version ?? "–"} = ${served}`,
        balanced: version === served
      },
      {
        what: "collector and API ended cleanly",
        figures: `exit ${collectorEnd.code ?? collectorEnd.signal}, exit ${apiEnd.code ?? apiEnd.signal}`,
        balanced: collectorEnd.code === 0 && apiEnd.code === 0
      }
    ]
    const lines = [...books.lines, ...more]
    const ledger: Ledger = { ...books, lines, balanced: lines.every(({ balanced }) => balanced) }
    screen.ledger(ledger)
    return ledger.balanced
  } finally {
    watch.stop()
    listener.close()
    if (!stopping) await world.stop()
  }
}

const screen = new Screen(process.stdout)
try {
  process.exitCode = (await run(screen)) ? 0 : 1
} catch (error) {
  screen.close()
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
screen.close()
