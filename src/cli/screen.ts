/** What stands at the other end of a command's output: a person's terminal, or a file, a pipe, a log. */
import { Context } from "effect"

export interface Screen {
  /** Cells in a line; undefined where lines are not cut. */
  readonly columns: number | undefined
  readonly colours: boolean
  /** Whether a person can be asked. */
  readonly canAsk: boolean
  /** Whether progress is written over the line before. */
  readonly rewrites: boolean
}

/** No terminal: whole lines, no colours, and nobody to ask. */
export const plainScreen: Screen = { columns: undefined, colours: false, canAsk: false, rewrites: false }

/** This process's own, by the conventions of `NO_COLOR` and of terminals that cannot do more (`TERM=dumb`). */
const processScreen = (): Screen => {
  const { stderr, stdin, stdout } = process
  const isTerminal = stdout.isTTY === true
  const plain = (process.env.NO_COLOR ?? "") !== "" || process.env.TERM === "dumb"
  return {
    // Some terminals say that they have no columns at all.
    columns: isTerminal ? stdout.columns || 80 : undefined,
    colours: isTerminal && !plain,
    canAsk: isTerminal && stdin.isTTY === true,
    rewrites: stderr.isTTY === true && process.env.TERM !== "dumb"
  }
}

export const Screen = Context.Reference<Screen>("job-collector/cli/Screen", { defaultValue: processScreen })

const style =
  (open: number, close: number) =>
  (text: string, { colours }: Screen) =>
    colours ? `\u001b[${open}m${text}\u001b[${close}m` : text

export const bold = style(1, 22)
export const dim = style(2, 22)
export const red = style(31, 39)
export const green = style(32, 39)
export const yellow = style(33, 39)
