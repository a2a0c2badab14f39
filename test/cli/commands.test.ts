import { assert, describe, it } from "@effect/vitest"
import { rootFor } from "../../src/cli/serviceCommands.ts"

const commandsFor = async (...args: ReadonlyArray<string>) =>
  (await rootFor(args)).subcommands.flatMap(({ commands, group }) =>
    commands.map(({ name, shortDescription, subcommands }) => ({
      entry: { group, name, shortDescription },
      isWhole: subcommands.length > 0
    }))
  )

describe("the list of commands", () => {
  it("has every command's group, name and short description, whatever is called", async () => {
    const listed = (await commandsFor("--help")).map(({ entry }) => entry)
    const whole = (await commandsFor("--completions=bash")).map(({ entry }) => entry)
    assert.deepStrictEqual(listed, whole)
    for (const { name, shortDescription } of listed) assert.isNotEmpty(shortDescription, name)
  })

  it("has those whole that the arguments name, wherever they stand, and all for completions and the wizard", async () => {
    const wholeFor = async (...args: ReadonlyArray<string>) =>
      (await commandsFor(...args)).flatMap(({ entry, isWhole }) => (isWhole ? [entry.name] : []))
    assert.deepStrictEqual(await wholeFor("keygen"), [])
    assert.deepStrictEqual(await wholeFor("--log-level", "debug", "dlq", "list"), ["dlq"])
    for (const flag of ["--completions", "--completions=zsh", "--wizard"])
      assert.deepStrictEqual(await wholeFor(flag), ["config", "audit", "dlq", "abandoned"])
  })
})
