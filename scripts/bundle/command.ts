/** The command as files that need nothing beside themselves: `dist/bin.js`, and `dist/command/` with what it loads. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { rolldown } from "rolldown"
import { thirdParty } from "./thirdParty.ts"

const here = (file: string) => join(import.meta.dirname, file)

export const bundleCommand = async (root: string, out: string): Promise<void> => {
  const bundle = await rolldown({
    input: { bin: join(root, "src/bin.ts") },
    platform: "node",
    // The package is free of side effects, but for the file that is the command.
    treeshake: { moduleSideEffects: [{ test: /\/src\/main\.ts$/, sideEffects: true }] },
    resolve: {
      alias: {
        "undici/index.js": here("undici.js"),
        ioredis$: here("ioredis.js"),
        ws$: here("ws.js"),
        debug$: here("debug.js")
      }
    }
  })
  const { output } = await bundle.write({
    dir: out,
    format: "esm",
    chunkFileNames: "command/[name].js",
    // Names stay, and each part's file above it: a stack trace tells where it was without a map, which Node would have to read.
    minify: false,
    comments: { annotation: false, jsdoc: false, legal: false }
  })
  await bundle.close()
  const modules = output.flatMap((file) =>
    file.type === "chunk"
      ? Object.entries(file.modules).flatMap(([id, { renderedLength }]) => (renderedLength > 0 ? [id] : []))
      : []
  )
  writeFileSync(join(out, "command/THIRD-PARTY.txt"), thirdParty(modules))
}
