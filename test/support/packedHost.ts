/** A host app with the packed package installed in it, as npm would do it; the registry is not asked. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { root } from "./bundle.ts"

export interface PackedHost {
  /** The host's folder. */
  readonly host: string
  /** A folder above it, where nothing is installed. */
  readonly elsewhere: string
  readonly tarball: string
  /** The package as the host has it. */
  readonly installed: string
  readonly remove: () => void
}

/** Needs what `npm run build` has made. */
export const packHost = (): PackedHost => {
  const elsewhere = mkdtempSync(join(tmpdir(), "package-"))
  const host = join(elsewhere, "host")
  const installed = join(host, "node_modules/job-collector")
  mkdirSync(installed, { recursive: true })
  execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", elsewhere], { cwd: root })
  const [packed = ""] = readdirSync(elsewhere).filter((name) => name.endsWith(".tgz"))
  const tarball = join(elsewhere, packed)
  execFileSync("tar", ["xzf", tarball, "-C", installed, "--strip-components=1"])
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), "@types/node"]) {
    mkdirSync(join(host, "node_modules", dirname(name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(host, "node_modules", name))
  }
  writeFileSync(join(host, "package.json"), JSON.stringify({ name: "host", type: "module", private: true }))
  return { host, elsewhere, tarball, installed, remove: () => rmSync(elsewhere, { recursive: true }) }
}
