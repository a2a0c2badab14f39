/**
 * One file that needs nothing beside it, on standard output: the verifier, the published vectors and a program that judges them
 * and says how many there are, for a runtime that is to be tried.
 *
 *     node test/verifier/every-runtime.ts > /tmp/vectors.mjs
 */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { rolldown } from "rolldown"
import type { Vectors } from "./every-vector.ts"

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), "utf8"))

/** The published vectors. */
export const publishedVectors = (): Vectors => ({
  requests: read("requests"),
  keys: read("keys"),
  ed25519: read("ed25519")
})

/** `every-vector.ts` and all that it imports; `name` makes it a script that sets this global, else it is a module. */
export const bundled = async (name?: string): Promise<string> => {
  const input = fileURLToPath(new URL("every-vector.ts", import.meta.url))
  const bundle = await rolldown({ input })
  const { output } = await bundle.generate(name === undefined ? { format: "esm" } : { format: "iife", name })
  return output[0].code
}

/** Deno, Bun and Node.js run it as a program, `workerd test` as a test. */
const program = async () => `${await bundled()}
const run = async () => console.log(await judgeAll(${JSON.stringify(publishedVectors())}))
if (import.meta.main) await run()
export default { test: run }
`

if (import.meta.main) process.stdout.write(await program())
