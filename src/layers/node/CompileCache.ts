/** V8's compiled code is kept from one start to the next: a command then starts in a third less time. */
import module from "node:module"
import { userInfo } from "node:os"
import { join } from "node:path"

/**
 * A folder that only this user writes, as what is in it is run: systemd's, or one in the home that the system knows of the user
 * (`HOME` may be another's, under sudo). Node's own choice, a folder in `/tmp`, is anybody's to make first.
 */
const cacheFolder = (): string | undefined => {
  const [given] = (process.env.CACHE_DIRECTORY ?? "").split(":")
  if (given !== undefined && given !== "") return join(given, "compiled")
  try {
    return join(userInfo().homedir, ".cache/job-collector")
  } catch {
    // A user that the system does not know, as in some clusters.
    return undefined
  }
}

/** Where the folder cannot be written, nothing is kept. `NODE_COMPILE_CACHE` and `NODE_DISABLE_COMPILE_CACHE` go before. */
export const keepCompiledCode = (): void => {
  const folder = process.env.NODE_COMPILE_CACHE === undefined ? cacheFolder() : undefined
  if (folder !== undefined) module.enableCompileCache(folder)
}
