import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { getuid } from "node:process"
import { freePort, waitUntil } from "./redis-server.ts"

const debianRoot = "/usr/lib/postgresql"

/** The folder of PostgreSQL's server programs: Debian's newest, else where `postgres` is found by name. */
const findPrograms = (): string | undefined => {
  try {
    const versions = readdirSync(debianRoot).sort((a, b) => Number(b) - Number(a))
    if (versions[0] !== undefined) return join(debianRoot, versions[0], "bin")
  } catch {
    // Not a Debian machine, or no server installed.
  }
  const found = spawnSync("sh", ["-c", 'dirname "$(command -v initdb)"'], { encoding: "utf8" })
  return found.status === 0 && found.stdout.startsWith("/") ? found.stdout.trim() : undefined
}

/** Finds PostgreSQL, else installs Debian's where this user may, else says in one line what to install. */
export const ensurePostgres = (): string => {
  const found = findPrograms()
  if (found !== undefined) return found
  if (getuid?.() === 0 && spawnSync("sh", ["-c", "command -v apt-get"]).status === 0) {
    console.log("No PostgreSQL found: installing Debian's postgresql package …")
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
    const stdio: ["ignore", "ignore", "inherit"] = ["ignore", "ignore", "inherit"]
    execFileSync("apt-get", ["update", "-qq"], { stdio, env })
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "postgresql"], { stdio, env })
    const installed = findPrograms()
    if (installed !== undefined) return installed
  }
  throw new Error("The sandbox tests need PostgreSQL: install the package postgresql (>= 14).")
}

/** PostgreSQL refuses to run as root: then as the account that Debian's package makes, or nobody. */
const account = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (getuid?.() !== 0) return undefined
  for (const name of ["postgres", "nobody"]) {
    const uid = spawnSync("id", ["-u", name], { encoding: "utf8" })
    const gid = spawnSync("id", ["-g", name], { encoding: "utf8" })
    if (uid.status === 0 && gid.status === 0) return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")
}

/** A private PostgreSQL on a free loopback port, its data in a temporary folder. */
export class PostgresServer {
  readonly port: number
  private readonly directory: string
  private readonly child: ChildProcess

  private constructor(port: number, directory: string, child: ChildProcess) {
    this.port = port
    this.directory = directory
    this.child = child
  }

  static async start(): Promise<PostgresServer> {
    const programs = ensurePostgres()
    const directory = mkdtempSync(join(tmpdir(), "job-collector-postgres-"))
    const user = account()
    if (user !== undefined) chownSync(directory, user.uid, user.gid)
    const data = join(directory, "data")
    const options = { cwd: directory, ...user }
    execFileSync(
      join(programs, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
      { ...options, stdio: "ignore" }
    )
    const port = await freePort()
    const child = spawn(
      join(programs, "postgres"),
      ["-D", data, "-p", `${port}`, "-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=${directory}`],
      { ...options, stdio: "ignore" }
    )
    await waitUntil(
      `PostgreSQL answers on port ${port}`,
      () => {
        if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`)
        const ready = spawnSync(join(programs, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", `${port}`])
        return ready.status === 0
      },
      30_000
    )
    return new PostgresServer(port, directory, child)
  }

  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/postgres`
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve))
      this.child.kill("SIGQUIT")
      await ended
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}
