/** Tokens as a file holds them: one `name:token` a line. */
import { Result } from "effect"

export interface NamedToken {
  readonly name: string
  readonly token: string
}

/** Long enough that guessing is hopeless, however quickly it is tried. */
const leastToken = 20
const mostToken = 256
const mostTokens = 1_000

const line = new RegExp(`^([A-Za-z0-9_.@-]{1,64}):([!-~]{${leastToken},${mostToken}})$`)

const rule =
  "must have one name:token a line: a name of 1 to 64 letters, digits and _ . @ -, " +
  `a token of ${leastToken} to ${mostToken} characters without blanks`

/** The tokens of a file's text, or what is wrong with it; no line is shown, as it may hold a token. */
export const namedTokens = (text: string): Result.Result<ReadonlyArray<NamedToken>, string> => {
  const tokens: Array<NamedToken> = []
  for (const [at, written] of text.split(/\r?\n/).entries()) {
    if (written === "") continue
    const [, name, token] = line.exec(written) ?? []
    if (name === undefined || token === undefined) return Result.fail(`${rule}; line ${at + 1} is none`)
    if (tokens.some((other) => other.name === name)) return Result.fail(`has the name of line ${at + 1} twice`)
    if (tokens.some((other) => other.token === token)) return Result.fail(`has the token of line ${at + 1} twice`)
    tokens.push({ name, token })
  }
  if (tokens.length > mostTokens) return Result.fail(`has more than ${mostTokens} tokens`)
  return tokens.length === 0 ? Result.fail(`${rule}; it is empty`) : Result.succeed(tokens)
}
