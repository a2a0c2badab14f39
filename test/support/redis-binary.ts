import { execFileSync, spawnSync } from "node:child_process"
import { getuid } from "node:process"

const candidates = ["redis-server", "valkey-server"]

/** The path of a program that the shell would find by this name, if there is one. */
export const onPath = (name: string): string | undefined => {
  const found = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" })
  return found.status === 0 ? found.stdout.trim() : undefined
}

/** The path of a Redis-compatible server on this machine, if there is one. */
export const findRedisServer = (): string | undefined => {
  for (const name of candidates) {
    const found = onPath(name)
    if (found !== undefined) return found
  }
  return undefined
}

/** Finds a server, else installs Debian's where this user may, else says in one line what to install. */
export const ensureRedisServer = (): string => {
  const found = findRedisServer()
  if (found !== undefined) return found
  if (getuid?.() === 0 && onPath("apt-get") !== undefined) {
    console.log("No redis-server found: installing Debian's redis-server package …")
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" }
    execFileSync("apt-get", ["update", "-qq"], { stdio: ["ignore", "ignore", "inherit"], env })
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "redis-server"], {
      stdio: ["ignore", "ignore", "inherit"],
      env
    })
    const installed = findRedisServer()
    if (installed !== undefined) return installed
  }
  throw new Error("The tests need a Redis server: install the package redis-server (>= 7.0) or valkey-server.")
}
