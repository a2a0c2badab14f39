import { type Done, Link } from "./link.ts"
import { type Redirection, redirectionOf } from "./redirection.ts"
import type { Address, Settings } from "./settings.ts"

/** Something commands are sent on. `send` returns how to stop caring for the answer. */
export interface Line {
  readonly send: (name: string, args: ReadonlyArray<string | Buffer>, done: Done) => () => void
  /** At once and for good: what is in flight fails. */
  readonly close: () => void
}

/** Sends each command to the server it belongs to. */
export interface Router extends Line {
  /** A private connection for blocking commands; one that was lost stays lost. */
  readonly open: () => Line
}

/** Finds the server a command belongs to, once that is known. */
export type Locate = (
  name: string,
  args: ReadonlyArray<string | Buffer>,
  then: (found: Address | Error) => void
) => void

/** How often a command may be sent elsewhere before its redirection is its failure. */
export const MAX_REDIRECTIONS = 5

/**
 * A private connection to the server its first command belongs to; it moves when a Cluster says so. It connects at that
 * first command: a pool makes lines that nobody uses yet, and which server is right is not known before. `onTrouble` is
 * told of a lost connection, and of every answer that is an error.
 */
export const privateLine = (settings: Settings, locate: Locate, onTrouble: (error?: Error) => void): Line => {
  let link: Link | undefined
  let closed = false
  const open = (address: Address): Link => {
    link?.close()
    link = new Link(address, settings, false, onTrouble)
    return link
  }
  return {
    send: (name, args, done) => {
      let wanted = true
      let forget = () => {}
      const fail = (error: Error) => {
        onTrouble(error)
        if (wanted) done(error)
      }
      const attempt = (over: Link, redirection: Redirection | undefined, left: number): void => {
        if (redirection?.asking) over.send("ASKING", [], () => {})
        forget = over.send(name, args, (error, reply) => {
          if (error === undefined) return done(undefined, reply)
          const next = redirectionOf(error, over.address)
          if (next === undefined || left === 0 || closed) return fail(error)
          onTrouble(error)
          attempt(open(next.address), next, left - 1)
        })
      }
      if (link !== undefined) attempt(link, undefined, MAX_REDIRECTIONS)
      else {
        locate(name, args, (found) => {
          if (!wanted) return
          if (found instanceof Error) done(found)
          else if (closed) done(new Error("the private connection is closed"))
          else attempt(link ?? open(found), undefined, MAX_REDIRECTIONS)
        })
      }
      return () => {
        wanted = false
        forget()
      }
    },
    close: () => {
      closed = true
      link?.close()
    }
  }
}

/** The least time between two connections made anew because the server takes no writes, in ms. */
const RENEWAL_SPACING = 1_000

/**
 * One server at a fixed address. A server that was demoted keeps its connections while the address's name has moved on
 * to the new master, so a connection that takes no writes is made anew.
 */
export const standaloneRouter = (settings: Settings): Router => {
  const shared = new Link(settings.address, settings, true)
  let renewed = Number.NEGATIVE_INFINITY
  const onReadOnly = (error: Error) => {
    const now = performance.now()
    if (now < renewed + RENEWAL_SPACING) return
    renewed = now
    shared.renew(error)
  }
  return {
    send: (name, args, done) =>
      shared.send(name, args, (error, reply) => {
        done(error, reply)
        if (error !== undefined && /(?:^|-)READONLY\b/.test(error.message)) onReadOnly(error)
      }),
    open: () =>
      privateLine(
        settings,
        (_name, _args, then) => then(settings.address),
        () => {}
      ),
    close: () => shared.close()
  }
}
