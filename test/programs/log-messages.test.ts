import { globSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const spoken = /(?:[lL]og(?:Info|Warning|Error|Debug)?|logEntry)\((?:run, )?\s*"([^"]*)"/g

/** The messages that the source says, as far as they stand in the call. */
const messages = globSync("src/**/*.ts", { cwd: root }).flatMap((file) =>
  [...readFileSync(`${root}/${file}`, "utf8").matchAll(spoken)].map(([, message]) => ({ file, message: message ?? "" }))
)

describe("log messages", () => {
  it("are stable names without anything variable in them", () => {
    expect(messages.length).toBeGreaterThan(35)
    for (const { file, message } of messages) expect(message, file).toMatch(/^[a-z]+(\.[a-z_]+)?$/)
  })

  it("are all in the documentation, and no others", () => {
    const table = readFileSync(`${root}/docs/observability.md`, "utf8").split("## Logs")[1] ?? ""
    const documented = new Set(
      table.split("\n").flatMap((line) => {
        const [, names = ""] = /^\| (`[^|]*) \|/.exec(line) ?? []
        return [...names.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? "")
      })
    )
    expect([...documented].sort()).toEqual([...new Set(messages.map(({ message }) => message))].sort())
  })
})
