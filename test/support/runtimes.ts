/** The ways in which a runtime has to take the packed package, and what is said of each. */
import { execFileSync, spawn } from "node:child_process"
import { cpSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build } from "esbuild"
import { rolldown } from "rolldown"
import { root } from "./bundle.ts"
import type { PackedHost } from "./packedHost.ts"

/** How a program is run: the runtime's own file, and what stands before the program's. */
export type Runtime = readonly [file: string, ...args: ReadonlyArray<string>]

/** Whether it went well, with what the program said where it did not. */
export type Verdict = { readonly well: true } | { readonly well: false; readonly said: string }

interface Way {
  readonly title: string
  readonly program: string
  readonly args: ReadonlyArray<string>
  readonly expected: RegExp
}

const common = { platform: "node", logLevel: "silent" } as const

/** The drivers are CommonJS, which asks for Node's modules by `require`. */
const banner = { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' }

const delivered = /^delivered, verified$/m

/** Makes the programs of all ways, and says what they are. */
export const prepareWays = async ({ elsewhere, host }: PackedHost, redisUrl: string): Promise<ReadonlyArray<Way>> => {
  const program = join(host, "deliver.ts")
  cpSync(join(root, "test/package/host/deliver.ts"), program)
  const required = join(host, "deliver.cjs")
  await build({ entryPoints: [program], ...common, format: "cjs", outfile: required })
  const byEsbuild = join(elsewhere, "esbuild.mjs")
  await build({ entryPoints: [program], bundle: true, ...common, format: "esm", outfile: byEsbuild, banner })
  const byRolldown = join(elsewhere, "rolldown.mjs")
  const bundle = await rolldown({ input: program, platform: "node", logLevel: "silent" })
  await bundle.write({ file: byRolldown, codeSplitting: false })
  await bundle.close()
  const verifier = join(elsewhere, "vectors.mjs")
  writeFileSync(verifier, execFileSync(process.execPath, [join(root, "test/verifier/every-runtime.ts")]))
  const delivers = { args: [], expected: delivered }
  return [
    { title: "`import`", program, ...delivers },
    { title: "`import`, with Redis", program, args: [redisUrl], expected: delivered },
    { title: "`require`", program: required, ...delivers },
    { title: "one file by esbuild", program: byEsbuild, ...delivers },
    { title: "one file by rolldown", program: byRolldown, ...delivers },
    { title: "verifier", program: verifier, args: [], expected: /^\d+ requests, \d+ keys, \d+ signatures$/m }
  ]
}

/** Runs one way on a runtime, elsewhere than in the repository. */
export const tryWay = (way: Way, [file, ...before]: Runtime, { elsewhere }: PackedHost): Promise<Verdict> =>
  new Promise((resolve, reject) => {
    const child = spawn(file, [...before, way.program, ...way.args], { cwd: elsewhere, timeout: 60_000 })
    let said = ""
    for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (said += data))
    child.once("error", reject)
    child.once("close", (code) =>
      resolve(code === 0 && way.expected.test(said) ? { well: true } : { well: false, said })
    )
  })
