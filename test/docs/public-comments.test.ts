/** What the package exports is documented, and the examples in its comments compile and run. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"

const root = fileURLToPath(new URL("../..", import.meta.url))
const source = join(root, "src")
const read = (path: string): string => readFileSync(path, "utf8")

/** Whether each name that a module declares itself and exports has a documentation comment right before it. */
const declarations = (text: string): ReadonlyMap<string, boolean> =>
  new Map(
    [...text.matchAll(/(\*\/\n)?^export (?:declare |abstract )*(?:const|class|function|interface|type) (\w+)/gm)].map(
      ([, comment, name = ""]) => [name, comment !== undefined] as const
    )
  )

const reexports = (text: string, path: string) =>
  [...text.matchAll(/^export (?:type )?(?:\{([^}]*)\}|\* as \w+) from "(\.[^"]+)"/gm)].map(([, names, from = ""]) => ({
    from: join(dirname(path), from),
    /** Undefined for a whole module. */
    names: names
      ?.split(",")
      .map((name) =>
        name
          .trim()
          .replace(/^type /, "")
          .replace(/ as .*$/, "")
      )
      .filter((name) => name !== "")
  }))

/** What is exported without a comment, through re-exports; what comes from other packages is theirs to document. */
const undocumented = (path: string, wanted: ReadonlyArray<string> | undefined): ReadonlyArray<string> => {
  const text = read(path)
  const declared = declarations(text)
  const own = [...declared].filter(([name]) => wanted === undefined || wanted.includes(name))
  return [
    ...own.filter(([, documented]) => !documented).map(([name]) => `${relative(root, path)}: ${name}`),
    ...reexports(text, path).flatMap(({ from, names }) => {
      const passedOn = names?.filter((name) => wanted === undefined || wanted.includes(name))
      return passedOn?.length === 0 ? [] : undocumented(from, passedOn)
    })
  ]
}

describe("the public exports", () => {
  it.each(["index.ts", "testing/index.ts", "verifier/index.ts"])(
    "of src/%s have a documentation comment each",
    (index) => {
      assert.deepStrictEqual(undocumented(join(source, index), undefined), [])
    }
  )

  it("every option names its meaning and its environment variable", () => {
    const fields = ["domain/options/options.ts", "domain/gatewayConfig/options.ts"].flatMap((path) =>
      [...read(join(source, path)).matchAll(/^ {2}readonly (\w+)\??: /gm)].map(([line = "", name]) => ({
        name,
        before: read(join(source, path)).split(line)[0] ?? ""
      }))
    )
    assert.isAbove(fields.length, 25)
    const bare = fields.filter(({ before }) => {
      const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n$/.exec(before)?.[1]
      return comment === undefined || !/`[A-Z_*]+`|No environment variable/.test(comment)
    })
    assert.deepStrictEqual(
      bare.map(({ name }) => name),
      []
    )
  })
})

/** Every example of a comment in src: whole modules, as an app would write them. */
const examples = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .flatMap((path) =>
    [...read(join(source, path)).matchAll(/@example\n([\s\S]*?)\*\//g)].map(([, comment = ""], at) => ({
      title: `${path} ${at + 1}`,
      file: `${path.replaceAll(/[^\w]/g, "-")}-${at + 1}.ts`,
      code: /```ts\n([\s\S]*?)```/.exec(comment.replace(/^ *\* ?/gm, ""))?.[1]
    }))
  )

describe("the examples in comments", () => {
  let folder = ""

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "job-collector-examples-"))
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    for (const { code, file } of examples) writeFileSync(join(folder, file), code ?? "")
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: join(root, "tsconfig.base.json"),
        compilerOptions: {
          noEmit: true,
          plugins: [],
          typeRoots: [join(root, "node_modules/@types")],
          paths: {
            "job-collector": [join(source, "index.ts")],
            "job-collector/testing": [join(source, "testing/index.ts")],
            "job-collector/verifier": [join(source, "verifier/index.ts")]
          }
        },
        files: examples.map(({ file }) => file)
      })
    )
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }')
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it("are whole modules in a ts block", () => {
    assert.isAbove(examples.length, 10)
    assert.deepStrictEqual(
      examples.filter(({ code }) => code === undefined || !/from "job-collector/.test(code)).map(({ title }) => title),
      []
    )
  })

  it("compile", () => {
    try {
      execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", folder], { encoding: "utf8", stdio: "pipe" })
    } catch (error) {
      assert.fail(String((error as { readonly stdout?: unknown }).stdout ?? error))
    }
  })

  it.each(examples.map(({ file, title }) => [title, file] as const))("%s runs", async (_title, file) => {
    const module: { readonly example?: unknown } = await import(pathToFileURL(join(folder, file)).href)
    const { example } = module
    if (example === undefined) return
    assert.isTrue(Effect.isEffect(example) ? await Effect.runPromise(example as Effect.Effect<unknown>) : example)
  })
})
