/** The built command as a process, and what the system says of it. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { VariantConfig } from "./protocol.ts"

export const root = fileURLToPath(new URL("..", import.meta.url))
export const command = `${root}dist/bin.js`

const redisUrlOf = (port: number) => `redis://127.0.0.1:${port}`

/** Where a service is asked for its health, and what takes its log: nothing takes it by default. */
export interface Watched {
  readonly httpPort: number
  readonly log: number | "ignore"
}

export const startService = (
  config: VariantConfig,
  { httpPort, log }: Watched = { httpPort: 0, log: "ignore" }
): ChildProcess =>
  spawn(process.execPath, [command, "run"], {
    env: {
      PATH: process.env.PATH,
      REDIS_URL: redisUrlOf(config.redisPort),
      API_BASE_URL: config.apiUrl,
      ED25519_PRIVATE_KEY: config.privateKey,
      CONFIG_SYNC: "off",
      HTTP_PORT: `${httpPort}`
    },
    stdio: ["ignore", log, "inherit"]
  })

/** Runs one of the operator's commands. */
export const operate = (redisPort: number, ...args: ReadonlyArray<string>): void => {
  const env = { PATH: process.env.PATH, REDIS_URL: redisUrlOf(redisPort) }
  execFileSync(process.execPath, [command, ...args], { env, stdio: ["ignore", "ignore", "inherit"] })
}

export const end = async (child: ChildProcess): Promise<void> => {
  const ended = once(child, "exit")
  child.kill("SIGTERM")
  await ended
}

/** User and system time, in milliseconds. */
export const cpuOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  // In hundredths of a second.
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** In MiB. */
export const rssOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1_024

/** How long its main thread was ready to run and got no CPU, in milliseconds: of a machine that is busy with something else. */
export const starvedOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1_000_000
