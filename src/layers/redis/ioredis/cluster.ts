import { Command } from "ioredis"
import { type Done, Link } from "./link.ts"
import { redirectionOf } from "./redirection.ts"
import { MAX_REDIRECTIONS, privateLine, type Router } from "./router.ts"
import { type Address, addressKey, type Settings } from "./settings.ts"
import { askAll, TopologyWatcher } from "./topologyWatcher.ts"

/** Nodes asked at once for the table of slots; the first answer is taken. */
const ASKED = 3

/** Commands whose key stands behind a subcommand. */
const containers: ReadonlySet<string> = new Set(["XINFO", "XGROUP", "OBJECT", "MEMORY"])

/** The hash slot of a command's first key; undefined for a command without keys. */
const slotOf = (name: string, args: ReadonlyArray<string | Buffer>): number | undefined => {
  const key = args[1]
  const command =
    containers.has(name) && key !== undefined
      ? new Command("GET", [key])
      : new Command(name, args as Array<string | Buffer>)
  const slot: number | null = command.getSlot()
  return slot ?? undefined
}

/** Reads `CLUSTER SLOTS`: the master of each range. A node without a known name is the one that answered. */
const mastersOf = (answer: unknown, from: Address): ReadonlyArray<Address | undefined> => {
  const table: Array<Address | undefined> = []
  for (const range of Array.isArray(answer) ? answer : []) {
    const [first, last, master]: [number, number, [string | null, number]] = range
    const [host, port] = master
    const address = { host: host === null || host === "" || host === "?" ? from.host : host, port }
    for (let slot = first; slot <= last; slot++) table[slot] = address
  }
  return table
}

const shuffled = <A>(items: Iterable<A>): Array<A> =>
  [...items]
    .map((item) => [Math.random(), item] as const)
    .sort(([a], [b]) => a - b)
    .map(([, item]) => item)

/**
 * A Redis Cluster: a command goes to the master of its first key's slot, MOVED and ASK are followed. The table of slots
 * is read again after a MOVED, a lost connection or CLUSTERDOWN. Commands without a key go to any node, SCRIPT to every
 * master.
 */
export const clusterRouter = (settings: Settings, seeds: ReadonlyArray<Address>): Router => {
  let table: Array<Address | undefined> = []
  let masters = new Map<string, Address>()
  const links = new Map<string, Link>()
  let closed = false

  const topologyWatcher = new TopologyWatcher((done) => {
    const known = new Map([...seeds, ...masters.values()].map((address) => [addressKey(address), address]))
    const asked = shuffled(known.values())
      .slice(0, ASKED)
      .map((address) => new Link(address, settings, false))
    return askAll(asked, ["CLUSTER", "SLOTS"], 0, ([first], failure) => {
      for (const link of asked) link.close()
      if (closed) return
      if (first === undefined) return done(failure)
      const found = mastersOf(first.answer, first.from)
      if (found.length === 0) return done(new Error("CLUSTERDOWN the Cluster serves no slot yet"))
      table = [...found]
      masters = new Map(found.flatMap((address) => (address === undefined ? [] : [[addressKey(address), address]])))
      for (const [key, link] of links) {
        if (masters.has(key) || link.isPromising) continue
        links.delete(key)
        link.close()
      }
      done()
    })
  })

  const linkTo = (address: Address): Link => {
    const key = addressKey(address)
    const known = links.get(key)
    if (known !== undefined) return known
    const made = new Link(address, settings, true, () => topologyWatcher.stale())
    links.set(key, made)
    return made
  }
  const absent = () => topologyWatcher.problem ?? new Error("not connected to Redis: no node is known")
  const onTrouble = (error?: Error) => {
    if (error === undefined || /^(?:MOVED|CLUSTERDOWN|READONLY|MASTERDOWN)\b/.test(error.message))
      topologyWatcher.stale()
  }
  const anyone = (): Address | undefined => {
    for (const link of links.values()) if (link.isUp) return link.address
    return shuffled(masters.values())[0]
  }
  const home = (slot: number | undefined): Address | undefined =>
    (slot === undefined ? undefined : table[slot]) ?? anyone()

  /** To every master: answers with the first one's reply when all have, or with a failure. */
  const broadcast = (name: string, args: ReadonlyArray<string | Buffer>, done: Done): void => {
    let left = masters.size
    let failed: Error | undefined
    for (const address of masters.values()) {
      linkTo(address).send(name, args, (error, reply) => {
        left -= 1
        failed ??= error
        if (left === 0) done(failed, reply)
      })
    }
  }

  return {
    send: (name, args, done) => {
      let wanted = true
      let forget = () => {}
      const attempt = (link: Link, asking: boolean, left: number): void => {
        if (asking) link.send("ASKING", [], () => {})
        forget = link.send(name, args, (error, reply) => {
          if (error === undefined) return done(undefined, reply)
          onTrouble(error)
          const next = redirectionOf(error, link.address)
          if (next === undefined || left === 0 || closed) return done(error)
          if (!next.asking) table[next.slot] = next.address
          attempt(linkTo(next.address), next.asking, left - 1)
        })
      }
      topologyWatcher.afterFirst(() => {
        if (!wanted) return
        if (masters.size === 0) return done(absent())
        if (name === "SCRIPT") return broadcast(name, args, (error, reply) => wanted && done(error, reply))
        const address = home(slotOf(name, args))
        if (address === undefined) done(absent())
        else attempt(linkTo(address), false, MAX_REDIRECTIONS)
      })
      return () => {
        wanted = false
        forget()
      }
    },
    open: () =>
      privateLine(
        settings,
        (name, args, then) => topologyWatcher.afterFirst(() => then(home(slotOf(name, args)) ?? absent())),
        onTrouble
      ),
    close: () => {
      closed = true
      topologyWatcher.close()
      for (const link of links.values()) link.close()
    }
  }
}
