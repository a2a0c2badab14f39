import { type ChildProcess, spawn } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { guard } from "./guard.ts"

/** How a child ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ChildOptions {
  /** For messages. */
  readonly name: string
  /** A program and its arguments. */
  readonly command: readonly [string, ...ReadonlyArray<string>]
  /** The whole environment, beside PATH, HOME and TMPDIR: a child sees no more secrets than it needs. */
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

const running = new Set<ChildProcess>()
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL")
})

/** The last so many characters of what a child said are kept. */
const KEPT = 64_000

/** A child process that never outlives this one. */
export class Child {
  readonly name: string
  readonly pid: number
  readonly ended: Promise<Ended>
  private readonly process: ChildProcess
  private said = ""

  private constructor(options: ChildOptions, child: ChildProcess, pid: number) {
    this.name = options.name
    this.pid = pid
    this.process = child
    const hear = (data: Buffer) => {
      this.said = (this.said + data.toString()).slice(-KEPT)
    }
    child.stdout?.on("data", hear)
    child.stderr?.on("data", hear)
    child.once("exit", () => {
      running.delete(child)
      guard.ended(pid)
    })
    // Not "exit", which may come before the last that it said.
    this.ended = new Promise((resolve) => child.once("close", (code, signal) => resolve({ code, signal })))
  }

  static async start(options: ChildOptions): Promise<Child> {
    const [file, ...args] = options.command
    const { HOME, PATH, TMPDIR } = process.env
    const base = Object.entries({ HOME, PATH, TMPDIR }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined
    )
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...Object.fromEntries(base), ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid })
    })
    const { pid } = child
    if (pid === undefined) return new Promise((_, reject) => child.once("error", reject))
    // In the same breath as the start: who is killed meanwhile leaves nobody behind.
    running.add(child)
    guard.started(pid)
    return new Child(options, child, pid)
  }

  /** A TypeScript or JavaScript file of this project, by its path from this folder, on this very Node. */
  static node(name: string, script: string, env: Readonly<Record<string, string>>, args: ReadonlyArray<string> = []) {
    const file = fileURLToPath(new URL(script, import.meta.url))
    return Child.start({ name, command: [process.execPath, file, ...args], env: { NO_COLOR: "1", ...env } })
  }

  /** What it wrote to standard output and error, the last of it. */
  get output(): string {
    return this.said
  }

  get isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal)
  }

  /** Asks it to end, waits, and then insists. */
  async stop(signal: NodeJS.Signals = "SIGTERM", patienceMs = 8_000): Promise<Ended> {
    if (this.isRunning) {
      this.process.kill(signal)
      const insist = setTimeout(() => this.process.kill("SIGKILL"), patienceMs)
      await this.ended
      clearTimeout(insist)
    }
    return this.ended
  }

  /** Polls until a condition holds; fails with what the child said if it ends first or the time runs out. */
  async until(what: string, condition: () => Promise<boolean>, deadlineMs = 40_000): Promise<void> {
    const end = Date.now() + deadlineMs
    for (;;) {
      // A condition that asks somebody who never answers is asked again.
      if (await Promise.race([condition().catch(() => false), sleep(2_000, false)])) return
      if (!this.isRunning || Date.now() > end) {
        throw new Error(
          `${this.name}: not ${what}${this.isRunning ? ` within ${deadlineMs} ms` : ", it ended"}\n${this.said}`
        )
      }
      await sleep(25)
    }
  }
}
