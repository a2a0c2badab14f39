/** The commands: what the help says of each, and where it is. One is loaded when it is called, so that help and keys come at once. */
import { Effect } from "effect"
import { Command } from "effect/cli"

/** A command of a name: whole where it is called, else what the list of all shows of it, in one line. */
const entry = <const Name extends string, Input, ContextInput, E, R>(
  name: Name,
  does: string,
  load: () => Promise<Command.Command<Name, Input, ContextInput, E, R>>,
  more = ""
) => ({
  name,
  whole: async () => Command.withDescription(await load(), `${does}${more}`),
  listed: Command.make(name).pipe(Command.withDescription(does))
})

/** The largest of them is loaded when it runs, not for its help either, and with the heap held down. */
const run = Command.make(
  "run",
  {},
  Effect.fnUntraced(function* () {
    const heap = yield* Effect.promise(() => import("../layers/node/HeapGrowth.ts"))
    heap.slowGrowth()
    const service = yield* Effect.promise(() => import("./run.ts"))
    heap.limitYoungSpace()
    return yield* service.run
  })
)

const commands = [
  entry("run", "Run the service until it receives SIGTERM or SIGINT", async () => run),
  entry(
    "check",
    "Check whether the service can do its work, and say what to fix",
    async () => (await import("./check.ts")).check,
    "; changes nothing"
  ),
  entry(
    "keygen",
    "Make a new Ed25519 key pair",
    async () => (await import("./keygen.ts")).keygen,
    "; register the public key with the API and keep the private key secret"
  ),
  entry(
    "dlq",
    "Events that wait for a retry: see them, retry them now, drop them",
    async () => (await import("./dlq/index.ts")).dlq
  ),
  entry(
    "abandoned",
    "Events that were given up: see them, replay them, drop them",
    async () => (await import("./abandoned/index.ts")).abandoned
  ),
  entry(
    "top",
    "Watch all replicas and streams: how it goes in words first, the worst on top",
    async () => (await import("./top.ts")).top,
    "; q ends it"
  ),
  entry(
    "pause",
    "Pause the deliveries of every replica; what is in flight ends",
    async () => (await import("./traffic.ts")).pause
  ),
  entry("resume", "End a pause", async () => (await import("./traffic.ts")).resume),
  entry(
    "limit",
    "Limit the rate of requests over all replicas together",
    async () => (await import("./traffic.ts")).limit
  ),
  entry(
    "park",
    "Set the events of one user, model, device or session aside, without a failure",
    async () => (await import("./traffic.ts")).park
  ),
  entry("unpark", "Let parked events go on", async () => (await import("./traffic.ts")).unpark),
  entry("rules", "Show the traffic rules that are in force", async () => (await import("./traffic.ts")).rules),
  entry("audit", "See who changed what, when and why", async () => (await import("./audit.ts")).audit),
  entry("tail", "Follow events: a line each as it ends", async () => (await import("./tail.ts")).tail),
  entry("report", "An incident on one page, in Markdown or JSON", async () => (await import("./report.ts")).report),
  entry(
    "erase",
    "Remove a user's events from where failures are kept, with a receipt",
    async () => (await import("./erase.ts")).erase
  ),
  entry("why", "Show what Redis knows about an event", async () => (await import("./why.ts")).why),
  entry(
    "console",
    "Serve the operator's console and the admin API",
    async () => (await import("./console.ts")).operatorConsole,
    " on CONSOLE_HOST and CONSOLE_PORT until it receives SIGTERM or SIGINT; it needs only Redis"
  ),
  entry("config", "See and steer the gateway's configuration files", async () => (await import("./config.ts")).config),
  entry(
    "lint",
    "Check a producer's events by the rules of the service",
    async () => (await import("./lint.ts")).lint,
    ", naming line, field and rule"
  ),
  entry(
    "verify-api",
    "Check an API against the contract, one line a rule",
    async () => (await import("./verifyApi.ts")).verifyApi,
    ", by signed requests that make jobs of their own; needs the private key and SERVICE_ID of a service that the API trusts"
  )
]

/** Global flags that show or ask the flags of all commands. */
const showsAll = /^--(?:completions|wizard)(?:=|$)/

/** The commands as these arguments need them: those that are not named have a name and a description only. */
export const commandsFor = (args: ReadonlyArray<string>) => {
  const all = args.some((arg) => showsAll.test(arg))
  return Promise.all(
    commands.map(({ listed, name, whole }) => (all || args.includes(name) ? whole() : Promise.resolve(listed)))
  )
}
