/** What the machine and the package say of themselves: read here only. */
import { readFileSync } from "node:fs"
import { hostname } from "node:os"
import { Effect } from "effect"

/** The host's name: a consumer name's default. */
export const hostName: Effect.Effect<string> = Effect.sync(() => hostname())

const manifest: { readonly version?: unknown } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8")
)

/** This package's version. */
export const version: string = String(manifest.version)
