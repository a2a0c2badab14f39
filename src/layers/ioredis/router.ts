import { type Done, Link } from "./link.ts"
import type { Address, Settings } from "./settings.ts"

/** Something commands are sent on. `send` returns how to stop caring for the answer. */
export interface Line {
  readonly send: (name: string, args: ReadonlyArray<string | Buffer>, done: Done) => () => void
  /** At once and for good: what is in flight fails. */
  readonly close: () => void
}

/** Sends each command to the server it belongs to. */
export interface Router extends Line {
  /** A private connection for blocking commands, made at its first command; one that was lost stays lost. */
  readonly open: () => Line
}

/** A private connection to one address. It connects at its first command: a pool makes lines that nobody uses yet. */
const privateLine = (address: Address, settings: Settings): Line => {
  let link: Link | undefined
  let closed = false
  return {
    send: (name, args, done) => {
      if (closed) {
        done(new Error("the private connection is closed"))
        return () => {}
      }
      link ??= new Link(address, settings, false)
      return link.send(name, args, done)
    },
    close: () => {
      closed = true
      link?.close()
    }
  }
}

/** One server at a fixed address. */
export const standaloneRouter = (settings: Settings): Router => {
  const shared = new Link(settings.address, settings, true)
  return {
    send: (name, args, done) => shared.send(name, args, done),
    open: () => privateLine(settings.address, settings),
    close: () => shared.close()
  }
}
