import { execFileSync } from "node:child_process"
import { getuid } from "node:process"
import { onPath } from "./redis-binary.ts"

const find = (names: ReadonlyArray<string>, serves: (path: string) => boolean) =>
  names.map(onPath).find((path) => path !== undefined && serves(path))

/** Finds a program that serves, else installs Debian's package where this user may, else says in one line what to install. */
export const ensureProgram = (
  names: ReadonlyArray<string>,
  debianPackage: string,
  serves: (path: string) => boolean = () => true
): string => {
  const found = find(names, serves)
  if (found !== undefined) return found
  if (getuid?.() === 0 && onPath("apt-get") !== undefined) {
    console.log(`Installing Debian's ${debianPackage} package …`)
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
    const aptGet = (...args: ReadonlyArray<string>) =>
      execFileSync("apt-get", ["-qq", ...args], { stdio: ["ignore", "ignore", "inherit"], env })
    aptGet("update")
    aptGet("install", "-y", "--no-install-recommends", debianPackage)
    const installed = find(names, serves)
    if (installed !== undefined) return installed
  }
  throw new Error(`This test needs ${names[0]}: install the package ${debianPackage}.`)
}
