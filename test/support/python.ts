import { execFileSync, spawnSync } from "node:child_process"
import { getuid } from "node:process"
import { onPath } from "./redis-binary.ts"

const pythonWith = (module: string): string | undefined =>
  ["python3", "/usr/bin/python3"].find((program) => spawnSync(program, ["-c", `import ${module}`]).status === 0)

/** A Python that has a module, Debian's package of which is installed where this user may; undefined where there is none. */
export const ensurePython = (module: string, debianPackage: string): string | undefined => {
  const found = pythonWith(module)
  if (found !== undefined || getuid?.() !== 0 || onPath("apt-get") === undefined) return found
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
  try {
    execFileSync("apt-get", ["update", "-qq"], { stdio: "ignore", env })
    execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", debianPackage], {
      stdio: "ignore",
      env
    })
  } catch {
    return undefined
  }
  return pythonWith(module)
}
