import { backoff } from "./backoff.ts"
import type { Link } from "./link.ts"
import type { Address } from "./settings.ts"

/** Looks that are asked for faster than this are one, in ms. */
const SPACING = 100

type Look = (done: (failure?: Error) => void) => () => void

/**
 * Keeps knowledge of where the servers are fresh: looks at once, again whenever it is told that something is stale, and
 * with backoff until a look succeeds, and by itself some time after each success if `every` says so (ms). `look` reports
 * with its failure or with nothing, and returns how to break it off.
 */
export class TopologyWatcher {
  private readonly look: Look
  private breakOff = () => {}
  private readonly every: number | undefined
  private timer: NodeJS.Timeout | undefined
  private due = 0
  private looking = false
  private again = false
  private ended = false
  private failures = 0
  private waiting: Array<() => void> | undefined = []
  /** Why the last look failed. */
  problem: Error | undefined

  constructor(look: Look, every?: number) {
    this.look = look
    this.every = every
    this.start()
  }

  /** Calls back when the first look is over, however it went: at once where it is. */
  afterFirst(go: () => void): void {
    if (this.waiting === undefined) go()
    else this.waiting.push(go)
  }

  /** What is known may be wrong. */
  stale(): void {
    if (this.looking) this.again = true
    else this.schedule(SPACING)
  }

  close(): void {
    this.ended = true
    clearTimeout(this.timer)
    this.breakOff()
    this.problem = new Error("closed by this process")
    this.settle()
  }

  private schedule(delay: number): void {
    const due = performance.now() + delay
    if (this.ended || (this.timer !== undefined && this.due <= due)) return
    clearTimeout(this.timer)
    this.due = due
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.start()
    }, delay)
  }

  private start(): void {
    this.looking = true
    this.again = false
    this.breakOff = this.look((failure) => {
      if (this.ended) return
      this.looking = false
      this.problem = failure
      this.failures = failure === undefined ? 0 : this.failures + 1
      if (failure !== undefined) this.schedule(backoff(this.failures - 1))
      else if (this.again) this.schedule(SPACING)
      else if (this.every !== undefined) this.schedule(this.every)
      this.settle()
    })
  }

  private settle(): void {
    const waiting = this.waiting ?? []
    this.waiting = undefined
    for (const go of waiting) go()
  }
}

/**
 * Asks over several connections the same at once and reports what was answered: when all have answered or failed, at
 * the latest `grace` ms after the first answer. Without an answer it reports the last error. Returns how to break it
 * off, which reports what there is.
 */
export const askAll = (
  links: ReadonlyArray<Link>,
  command: readonly [string, ...ReadonlyArray<string>],
  grace: number,
  done: (answers: ReadonlyArray<{ readonly from: Address; readonly answer: unknown }>, failure: Error) => void
): (() => void) => {
  const [name, ...args] = command
  const answers: Array<{ readonly from: Address; readonly answer: unknown }> = []
  let failure = new Error("no server answered")
  let left = links.length
  let timer: NodeJS.Timeout | undefined
  let over = false
  const finish = () => {
    if (over) return
    over = true
    clearTimeout(timer)
    done(answers, failure)
  }
  for (const link of links) {
    link.send(name, args, (error, reply) => {
      left -= 1
      if (error === undefined) answers.push({ from: link.address, answer: reply })
      else failure = error
      if (left === 0 || (answers.length > 0 && grace === 0)) finish()
      else if (answers.length > 0) timer ??= setTimeout(finish, grace)
    })
  }
  return finish
}
