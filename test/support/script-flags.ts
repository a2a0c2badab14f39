import { type ParseArgsOptionsConfig, parseArgs } from "node:util"

type Parsed<O extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: O }>>["values"]

/** Ends a script for what it was asked: one line, and no stack. */
export const misused = (problem: string): never => {
  process.stderr.write(`${problem} (--help shows the flags)\n`)
  process.exit(2)
}

/** The flags of a script, after `npm run <name> --`; `--help` prints its help and ends it. */
export const scriptFlags = <const O extends ParseArgsOptionsConfig>(help: string, options: O): Parsed<O> => {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: "boolean" } } })
    if (!("help" in values)) return values as Parsed<O>
    process.stdout.write(help)
    return process.exit(0)
  } catch (error) {
    return misused(error instanceof Error ? error.message.replace(/\.? To specify.*/s, "") : String(error))
  }
}
