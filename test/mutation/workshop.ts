/** Runs tests on the code with one mutant in it after the other, in one Vitest that keeps what it has read. */
import { fileURLToPath } from "node:url"
import { createVitest, type TestCase, type Vitest } from "vitest/node"
import shared from "../../vitest.config.ts"
import { type Mutant, mutated } from "./mutant.ts"

const root = new URL("../../", import.meta.url)
const sourceOf = ({ file }: Mutant): string => fileURLToPath(new URL(`src/${file}`, root))

/** What became of a mutant: the first test that noticed it; undefined where none did. */
export interface Trial {
  readonly mutant: Mutant
  readonly killedBy: string | undefined
}

export class Workshop {
  private current: Mutant | undefined
  private opened: Vitest | undefined

  private async open(): Promise<Vitest> {
    if (this.opened !== undefined) return this.opened
    const vitest = await createVitest(
      "test",
      {
        config: false,
        root: fileURLToPath(root),
        watch: false,
        bail: 1,
        // What is kept between runs is kept by the file, which is not what changes.
        fsModuleCache: false,
        include: ["test/**/*.test.ts"],
        pool: "threads",
        maxWorkers: 1,
        // A test that hangs has noticed something.
        testTimeout: 60_000,
        reporters: [{}]
      },
      {
        ...(shared.resolve === undefined ? {} : { resolve: shared.resolve }),
        plugins: [
          {
            name: "mutant",
            enforce: "pre",
            transform: (source, id) => {
              const { current } = this
              return current !== undefined && id === sourceOf(current) ? mutated(source, current) : undefined
            }
          }
        ]
      }
    )
    this.opened = vitest
    return vitest
  }

  /** Runs a mutant's tests, or only those that are given, until one fails. */
  async try(mutant: Mutant, tests: ReadonlyArray<string> = mutant.tests): Promise<Trial> {
    const vitest = await this.open()
    this.current = mutant
    vitest.invalidateFile(sourceOf(mutant))
    try {
      for (const file of tests) {
        // What failed before counts as failed still, and nothing more is run after a failure.
        vitest.state.filesMap.clear()
        vitest.state.idMap.clear()
        const specifications = await vitest.globTestSpecifications([file])
        const { testModules, unhandledErrors } = await vitest.runTestSpecifications(specifications)
        for (const module of testModules) {
          const failed = [...module.children.allTests("failed")][0]
          if (failed !== undefined) return { mutant, killedBy: `${file} › ${nameOf(failed)}` }
          // What cannot be read was not noticed by a test.
          const [error] = module.errors()
          if (error !== undefined) throw new Error(`${file}: ${error.message}`)
        }
        if (unhandledErrors.length > 0) return { mutant, killedBy: `${file} › an error that nobody handles` }
      }
      return { mutant, killedBy: undefined }
    } finally {
      this.current = undefined
      vitest.invalidateFile(sourceOf(mutant))
    }
  }

  async close(): Promise<void> {
    await this.opened?.close()
    this.opened = undefined
  }
}

const nameOf = ({ name }: TestCase): string => name
