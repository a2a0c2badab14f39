/** Inputs for which something did not hold once, each in a file of its own. */
import { createHash } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { brotliCompressSync, brotliDecompressSync } from "node:zlib"
import type { Find } from "./fuzzer.ts"

const directory = fileURLToPath(new URL("corpus", import.meta.url))

/** Keeps a find: the name of its file. What is repeated a million times takes little room. */
export const keep = ({ input, problem, target }: Find): string => {
  const text = JSON.stringify(input)
  const hash = createHash("sha256").update(text).digest("hex").slice(0, 12)
  const kept =
    text.length < 10_000
      ? { target, problem, input }
      : { target, problem, compressed: brotliCompressSync(text).toString("base64") }
  const name = `${target}-${hash}.json`
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${directory}/${name}`, `${JSON.stringify(kept, null, 2)}\n`)
  return name
}

/** All finds that were kept. */
export const kept = (): ReadonlyArray<Find & { readonly file: string }> =>
  readdirSync(directory)
    .filter((file) => file.endsWith(".json"))
    .map((file) => {
      const { compressed, ...found }: Find & { readonly compressed?: string } = JSON.parse(
        readFileSync(`${directory}/${file}`, "utf8")
      )
      const input =
        compressed === undefined
          ? found.input
          : JSON.parse(brotliDecompressSync(Buffer.from(compressed, "base64")).toString())
      return { ...found, input, file }
    })
