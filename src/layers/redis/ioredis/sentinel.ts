import { Link } from "./link.ts"
import { type Line, privateLine, type Router } from "./router.ts"
import { type Address, addressKey, type Settings } from "./settings.ts"
import { askAll, TopologyWatcher } from "./topologyWatcher.ts"

/** How long slower Sentinels may add their voice after the first, in ms. */
const GRACE = 200
/** How often the Sentinels are asked, in ms: a demoted master that lives takes writes for seconds, which are lost. */
const EVERY = 500

const addressOf = (answer: unknown): Address | undefined =>
  Array.isArray(answer) && typeof answer[0] === "string" ? { host: answer[0], port: Number(answer[1]) } : undefined

/** The address most Sentinels name; of equals the one heard first. */
const elected = (addresses: ReadonlyArray<Address>): Address | undefined => {
  const votes = new Map<string, number>()
  for (const address of addresses) votes.set(addressKey(address), (votes.get(addressKey(address)) ?? 0) + 1)
  const most = Math.max(...votes.values())
  return addresses.find((address) => votes.get(addressKey(address)) === most)
}

/**
 * The master that Sentinels name (`SENTINEL GET-MASTER-ADDR-BY-NAME`). They are asked twice a second, and at once when a
 * connection is lost or a server answers that it is no master. Another master closes every connection to the last one.
 */
export const sentinelRouter = (settings: Settings, nodes: ReadonlyArray<Address>, name: string): Router => {
  // Sentinels have no databases, and often no password where their servers have one.
  const ofSentinels: Settings = { ...settings, db: 0, passwordOptional: true }
  const sentinels = nodes.map((node) => new Link(node, ofSentinels, true))
  const lines = new Set<Line>()
  let master: Link | undefined
  let closed = false

  const follow = (found: Address) => {
    if (master !== undefined && addressKey(master.address) === addressKey(found)) return
    master?.close()
    master = new Link(found, settings, true, () => topologyWatcher.stale())
    for (const line of lines) line.close()
  }
  const topologyWatcher = new TopologyWatcher(
    (done) =>
      askAll(sentinels, ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name], GRACE, (answers, failure) => {
        if (closed) return
        const found = elected(answers.map(({ answer }) => addressOf(answer)).filter((address) => address !== undefined))
        if (found !== undefined) follow(found)
        else if (answers.length > 0) return done(new Error(`not connected: no Sentinel knows a master "${name}"`))
        done(found === undefined ? failure : undefined)
      }),
    EVERY
  )
  const absent = () => topologyWatcher.problem ?? new Error("not connected to Redis: no master is known")
  const onTrouble = (error?: Error) => {
    if (error === undefined || /^(?:READONLY|MASTERDOWN|UNBLOCKED)\b/.test(error.message)) topologyWatcher.stale()
  }

  return {
    send: (command, args, done) => {
      let wanted = true
      let forget = () => {}
      topologyWatcher.afterFirst(() => {
        if (!wanted) return
        if (master === undefined) return done(absent())
        forget = master.send(command, args, (error, reply) => {
          if (error !== undefined) onTrouble(error)
          done(error, reply)
        })
      })
      return () => {
        wanted = false
        forget()
      }
    },
    open: () => {
      const line = privateLine(
        settings,
        (_name, _args, then) => topologyWatcher.afterFirst(() => then(master?.address ?? absent())),
        onTrouble
      )
      lines.add(line)
      return {
        send: line.send,
        close: () => {
          lines.delete(line)
          line.close()
        }
      }
    },
    close: () => {
      closed = true
      topologyWatcher.close()
      for (const sentinel of sentinels) sentinel.close()
      master?.close()
    }
  }
}
