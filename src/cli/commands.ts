/** The commands: what the help says of each, and where it is. One is loaded when it is called, so that help and keys come at once. */
import { Command } from "effect/cli"
import { builtInAlone, type HostKinds } from "../domain/events/hostKinds.ts"

/** The parts of the first page of the help, in their order. */
const groups = ["service", "events", "traffic", "development"] as const

/** A command of a name: whole where it is called, else what the first page of the help shows of it, in at most 25 cells. */
export const entry = <const Name extends string, Input, ContextInput, E, R>(
  group: (typeof groups)[number],
  name: Name,
  short: string,
  does: string,
  load: (known: HostKinds) => Promise<Command.Command<Name, Input, ContextInput, E, R>>
) => ({
  group,
  name,
  whole: async (known: HostKinds) =>
    (await load(known)).pipe(Command.withDescription(does), Command.withShortDescription(short)),
  listed: Command.make(name).pipe(Command.withShortDescription(short))
})

const commands = [
  entry(
    "service",
    "check",
    "Find out what is wrong",
    "Check whether the service can do its work, and say what to fix; changes nothing",
    async () => (await import("./check.ts")).check
  ),
  entry(
    "service",
    "config",
    "The gateway's files",
    "See and steer the gateway's configuration files",
    async () => (await import("./config.ts")).config
  ),
  entry(
    "service",
    "audit",
    "Who changed what, and why",
    "See who changed what, when and why",
    async () => (await import("./audit.ts")).audit
  ),
  entry(
    "events",
    "dlq",
    "Events awaiting a retry",
    "Events that are waiting for a retry: list them, retry them now, drop them",
    async () => (await import("./dlq/index.ts")).dlq
  ),
  entry(
    "events",
    "abandoned",
    "Events given up on",
    "Events that were given up on: list them, replay them, drop them",
    async () => (await import("./abandoned/index.ts")).abandoned
  ),
  entry(
    "events",
    "why",
    "What became of an event",
    "Show what Redis knows about an event",
    async () => (await import("./why.ts")).why
  ),
  entry(
    "events",
    "tail",
    "Follow events as they end",
    "Follow events: one line for each as it ends",
    async () => (await import("./tail.ts")).tail
  ),
  entry(
    "events",
    "report",
    "An incident on one page",
    "Sum up an incident on one page, in Markdown or JSON",
    async () => (await import("./report.ts")).report
  ),
  entry(
    "events",
    "erase",
    "Remove a user's events",
    "Remove a user's events from where failures are kept, with a receipt",
    async () => (await import("./erase.ts")).erase
  ),
  entry(
    "traffic",
    "top",
    "Watch it all live",
    "Watch all replicas and streams live: the verdict in words first, what is worst on top; q ends it",
    async () => (await import("./top.ts")).top
  ),
  entry(
    "traffic",
    "pause",
    "Pause all deliveries",
    "Pause deliveries on every replica; requests in flight are completed",
    async () => (await import("./traffic.ts")).pause
  ),
  entry("traffic", "resume", "End a pause", "End a pause", async () => (await import("./traffic.ts")).resume),
  entry(
    "traffic",
    "probe",
    "Probe open circuits now",
    "Probe at once what has an open circuit, the API or a partition, on every replica; a pause still holds",
    async () => (await import("./traffic.ts")).probe
  ),
  entry(
    "traffic",
    "limit",
    "Limit the request rate",
    "Limit the rate of requests over all replicas together",
    async () => (await import("./traffic.ts")).limit
  ),
  entry(
    "traffic",
    "park",
    "Set some events aside",
    "Set aside the events of one user, model, device or session, without counting them as failed",
    async () => (await import("./traffic.ts")).park
  ),
  entry(
    "traffic",
    "unpark",
    "Release parked events",
    "Release parked events",
    async () => (await import("./traffic.ts")).unpark
  ),
  entry(
    "traffic",
    "rules",
    "Show the rules in force",
    "Show the traffic rules that are in force",
    async () => (await import("./traffic.ts")).rules
  ),
  entry(
    "development",
    "lint",
    "Check a producer's events",
    "Check a producer's events against the rules of the service, naming the line, field and rule",
    async (known) => (await import("./lint.ts")).makeLint(known)
  ),
  entry(
    "development",
    "verify-api",
    "Check a jobs API",
    "Check an API against the contract, one line per rule, with signed requests that create jobs of their own; needs the private key and SERVICE_ID of a service that the API trusts",
    async () => (await import("./verifyApi.ts")).verifyApi
  ),
  entry(
    "development",
    "keygen",
    "Make a new key pair",
    "Make a new Ed25519 key pair; register the public key with the API and keep the private key secret",
    async () => (await import("./keygen.ts")).keygen
  )
]

/** Global flags that show or ask the flags of all commands. */
const showsAll = /^--(?:completions|wizard)(?:=|$)/

interface Entry<Name extends string, R> {
  readonly group: (typeof groups)[number]
  readonly name: Name
  readonly whole: (known: HostKinds) => Promise<Command.Command<Name, never, unknown, unknown, R>>
  readonly listed: Command.Command<Name, never, unknown>
}

interface Line<R> {
  readonly name?: string | undefined
  readonly known?: HostKinds | undefined
  /** The service's own, which the command line of a host app does without; they come first. */
  readonly first?: readonly [Entry<"run", R>, Entry<"console", R>] | undefined
}

/** The whole command line, as these arguments need it: commands that are not named have a name and a short description only. */
export const commandLineFor = async <R = never>(
  args: ReadonlyArray<string>,
  { known = builtInAlone, name: ownName = "job-collector", first }: Line<R>
): Promise<Command.Command<string, never, unknown, unknown, Command.Environment | R>> => {
  const wholeOnes = args.some((arg) => showsAll.test(arg))
  const all = [...(first ?? []), ...commands]
  const made = await Promise.all(
    all.map(({ listed, name, whole }) => (wholeOnes || args.includes(name) ? whole(known) : Promise.resolve(listed)))
  )
  const grouped = groups.map((group) => ({ group, commands: made.filter((_, at) => all[at]?.group === group) }))
  return Command.make(ownName).pipe(
    Command.withDescription(
      "Deliver signed events from Redis Streams to the jobs API and keep the gateway's configuration in sync"
    ),
    Command.withSubcommands(grouped)
  )
}
