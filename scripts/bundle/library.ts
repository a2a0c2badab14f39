/** The library: a file for each entry of the package, and what they share in `dist/library/`; packages stay outside. */
import { join } from "node:path"
import { rolldown } from "rolldown"

export const bundleLibrary = async (root: string, out: string): Promise<void> => {
  const entry = (file: string) => join(root, "src", file)
  const bundle = await rolldown({
    input: {
      index: entry("index.ts"),
      "testing/index": entry("testing/index.ts"),
      "verifier/index": entry("verifier/index.ts")
    },
    platform: "node",
    external: /^(?![./]|\w:\\)/
  })
  await bundle.write({
    dir: out,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "library/[name].js",
    minify: false,
    // Documentation is in the declarations; `@__PURE__` lets a host's bundler leave out what it does not use.
    comments: { annotation: true, jsdoc: false, legal: false }
  })
  await bundle.close()
}
