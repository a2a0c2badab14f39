import { assert, describe, it } from "@effect/vitest"
import { commandsFor } from "../../src/cli/commands.ts"

const subcommandsOf = ({ subcommands }: Awaited<ReturnType<typeof commandsFor>>[number]) =>
  subcommands.flatMap(({ commands }) => commands.map(({ name }) => name))

describe("the list of commands", () => {
  it("has every command's name and description, whatever is called", async () => {
    const listed = await commandsFor(["--help"])
    const whole = await commandsFor(["--completions=bash"])
    assert.deepStrictEqual(
      listed.map(({ description, name }) => ({ description, name })),
      whole.map(({ description, name }) => ({ description, name }))
    )
    for (const { description, name } of listed) assert.isNotEmpty(description, name)
  })

  it("has those whole that the arguments name, wherever they stand, and all for completions and the wizard", async () => {
    const lengths = async (...args: ReadonlyArray<string>) =>
      (await commandsFor(args)).filter((command) => subcommandsOf(command).length > 0).map(({ name }) => name)
    assert.deepStrictEqual(await lengths("keygen"), [])
    assert.deepStrictEqual(await lengths("--log-level", "debug", "dlq", "list"), ["dlq"])
    for (const flag of ["--completions", "--completions=zsh", "--wizard"])
      assert.deepStrictEqual(await lengths(flag), ["dlq", "abandoned", "audit", "config"])
  })
})
