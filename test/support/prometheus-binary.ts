import { execFileSync, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"
import { onPath } from "./redis-binary.ts"

const remedy = "The tests of deploy/ need promtool and prometheus: install the package prometheus (>= 2.42)."

/** Debian's package, unpacked into a temporary folder: nothing is installed and no service is started. */
const unpacked = (): string | undefined => {
  if (onPath("apt-get") === undefined || onPath("dpkg-deb") === undefined) return undefined
  const kept = join(tmpdir(), `job-collector-prometheus-${userInfo().uid}`)
  const binaries = join(kept, "usr", "bin")
  if (existsSync(binaries)) return binaries
  const folder = mkdtempSync(`${kept}-`)
  try {
    const download = () => spawnSync("apt-get", ["download", "-qq", "prometheus"], { cwd: folder }).status === 0
    if (!download()) {
      console.log("Fetching Debian's package lists for the package prometheus …")
      if (spawnSync("apt-get", ["update", "-qq"]).status !== 0 || !download()) return undefined
    }
    const archive = readdirSync(folder).find((name) => name.endsWith(".deb"))
    if (archive === undefined) return undefined
    execFileSync("dpkg-deb", ["-x", join(folder, archive), join(folder, "root")])
    try {
      renameSync(join(folder, "root"), kept)
    } catch (cause) {
      // Another test file was quicker.
      if (!existsSync(binaries)) throw cause
    }
    return binaries
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The paths of `promtool` and `prometheus`; fails with the package's name where they cannot be had. */
export const prometheusBinaries = (): { readonly promtool: string; readonly prometheus: string } => {
  const promtool = onPath("promtool")
  const prometheus = onPath("prometheus")
  if (promtool !== undefined && prometheus !== undefined) return { promtool, prometheus }
  const folder = unpacked()
  if (folder === undefined) throw new Error(remedy)
  return { promtool: join(folder, "promtool"), prometheus: join(folder, "prometheus") }
}
