import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { waitUntil } from "./redis-server.ts"

const entry = fileURLToPath(new URL("../../dist/bin.js", import.meta.url))

/** The RFC 8032 test key 1, as settings have it. */
export const testKey = {
  private: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
  public: Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex")
}

/** The built service as a process of its own; its log is kept. */
export class CollectorProcess {
  readonly child: ChildProcess
  readonly lines: Array<string> = []
  private readonly ended: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.child = child
    // The process has ended and all that it said is read: "exit" alone may come before its last lines.
    this.ended = once(child, "close")
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ""
      stream?.setEncoding("utf8").on("data", (text: string) => {
        const lines = `${rest}${text}`.split("\n")
        rest = lines.pop() ?? ""
        this.lines.push(...lines)
      })
    }
  }

  /** Starts `job-collector run`, or another command, with these settings and no others. */
  static start(settings: Readonly<Record<string, string>>, args: ReadonlyArray<string> = ["run"]): CollectorProcess {
    const env = {
      PATH: process.env.PATH,
      ED25519_PRIVATE_KEY: testKey.private,
      HTTP_PORT: "0",
      CONFIG_SYNC: "off",
      LOG_FORMAT: "json",
      ...settings
    }
    return new CollectorProcess(spawn(process.execPath, [entry, ...args], { env, stdio: ["ignore", "pipe", "pipe"] }))
  }

  /** Whether it said so. */
  said(text: string): boolean {
    return this.lines.some((line) => line.includes(text))
  }

  /** The lines that log a message. */
  logged(message: string): ReadonlyArray<string> {
    return this.lines.filter((line) => line.includes(`"message":"${message}"`))
  }

  /** Waits until it has logged a message, so often. */
  logs(message: string, times = 1, deadlineMs = 40_000): Promise<void> {
    return waitUntil(
      `the collector logs ${message}`,
      () => {
        if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.lines.join("\n")}`)
        return this.logged(message).length >= times
      },
      deadlineMs
    )
  }

  /** Waits until it reads its streams. */
  collecting(): Promise<void> {
    return this.logs("collecting")
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** What it answers at a path; undefined where it does not answer. */
  private async get(path: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
    const [, address] = /"address":"([^"]+)"/.exec(this.logged("listening")[0] ?? "") ?? []
    if (address === undefined) return undefined
    try {
      const response = await fetch(new URL(path, address), { signal: AbortSignal.timeout(10_000) })
      return { status: response.status, text: await response.text() }
    } catch {
      return undefined
    }
  }

  /** The status with which it answers at a path; 0 where it does not answer. */
  async status(path: string): Promise<number> {
    return (await this.get(path))?.status ?? 0
  }

  /** The JSON that it answers at a path; undefined where it does not answer. */
  async json(path: string): Promise<unknown> {
    const answer = await this.get(path)
    return answer === undefined ? undefined : JSON.parse(answer.text)
  }

  /** The text that it answers at a path; undefined where it does not answer. */
  async text(path: string): Promise<string | undefined> {
    return (await this.get(path))?.text
  }

  /** Resident memory, in MB. */
  get rssMb(): number {
    const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.child.pid}/status`, "utf8")) ?? []
    return Number(kilobytes) / 1_024
  }

  /** Sends a signal and waits for the end: the exit status, or the signal's name. */
  async end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | null> {
    // A stopped process gets no signal but SIGKILL until it goes on.
    this.child.kill("SIGCONT")
    this.child.kill(signal)
    return this.exit()
  }

  /** Waits for the end, and for the last that it said. */
  async exit(): Promise<number | NodeJS.Signals | null> {
    await this.ended
    return this.child.exitCode ?? this.child.signalCode
  }
}
