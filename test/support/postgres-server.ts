import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { chownSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { getuid } from "node:process"
import { onPath } from "./redis-binary.ts"
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
  const initdb = onPath("initdb")
  return initdb === undefined ? undefined : dirname(initdb)
}

/** Installs Debian's package where there is no PostgreSQL and this user may; once, before the tests run side by side. */
export const preparePostgres = (): void => {
  if (findPrograms() !== undefined || getuid?.() !== 0 || onPath("apt-get") === undefined) return
  console.log("No PostgreSQL found: installing Debian's postgresql package …")
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
  for (const args of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", "postgresql"]
  ]) {
    if (spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env }).status !== 0) return
  }
}

/** The folder of PostgreSQL's programs, else one line that says what to install. */
const programsOf = (): string => {
  const found = findPrograms()
  if (found === undefined) throw new Error("The sandbox tests need PostgreSQL: install the package postgresql (>= 14).")
  return found
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
  private readonly programs: string
  private readonly user: ReturnType<typeof account>
  private child: ChildProcess | undefined

  private constructor(port: number, programs: string) {
    this.port = port
    this.programs = programs
    this.user = account()
    this.directory = mkdtempSync(join(tmpdir(), "job-collector-postgres-"))
    if (this.user !== undefined) chownSync(this.directory, this.user.uid, this.user.gid)
    execFileSync(
      join(programs, "initdb"),
      ["-D", this.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
      { cwd: this.directory, stdio: "ignore", ...this.user }
    )
  }

  static async start(): Promise<PostgresServer> {
    const server = new PostgresServer(await freePort(), programsOf())
    await server.up()
    return server
  }

  private get data(): string {
    return join(this.directory, "data")
  }

  get url(): string {
    return `postgresql://postgres@127.0.0.1:${this.port}/postgres`
  }

  /** Starts the server (again, on the same port and data) and waits until it answers. */
  async up(): Promise<void> {
    const options = ["listen_addresses=127.0.0.1", `unix_socket_directories=${this.directory}`]
    const child = spawn(
      join(this.programs, "postgres"),
      ["-D", this.data, "-p", `${this.port}`, ...options.flatMap((option) => ["-c", option])],
      { cwd: this.directory, stdio: "ignore", ...this.user }
    )
    this.child = child
    await waitUntil(
      `PostgreSQL answers on port ${this.port}`,
      () => {
        if (child.exitCode !== null) throw new Error(`postgres ended with ${child.exitCode}`)
        const ready = spawnSync(join(this.programs, "pg_isready"), ["-q", "-h", "127.0.0.1", "-p", `${this.port}`])
        return ready.status === 0
      },
      60_000
    )
  }

  /** Ends the server at once; its data stays for the next `up`. */
  async down(): Promise<void> {
    const child = this.child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once("exit", resolve))
    child.kill("SIGQUIT")
    await ended
  }

  async stop(): Promise<void> {
    await this.down()
    rmSync(this.directory, { recursive: true, force: true })
  }
}
