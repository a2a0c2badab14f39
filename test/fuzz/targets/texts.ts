/** Texts: what is shown, JSON that keeps its digits, bytes that are not UTF-8, and errors of Redis. */

import { jsonLimitProblem } from "../../../src/domain/json/jsonLimits.ts"
import { parseLossless, withDoubles } from "../../../src/domain/json/losslessJson.ts"
import { bytesOfText, textOfBytes } from "../../../src/domain/text/escapedBytes.ts"
import { blanked, cut, printable, printableJson } from "../../../src/domain/text/printable.ts"
import { classify } from "../../../src/layers/redis/classify.ts"
import { RedisError } from "../../../src/services/Redis.ts"
import { bytesOf, mustBePlain, mustHold, type Target } from "../target.ts"

const ordinary = 'key "é" \u001b[31m\u202e\u0000 😀\u2028 of the line'

export const texts: Target = {
  name: "printable",
  passes: 8,
  brief: true,
  seeds: [
    [ordinary],
    ["NOPERM this user has no permissions to run the 'xadd' command"],
    ["\xff\xfe\xc0\xaf\xed\xa0\x80"]
  ],
  words: ["NOPERM", "WRONGTYPE", "NOGROUP", "ERR ", "ACL failure in script", "access the 'k' key"],
  attempt: ([text = ""]) => {
    const shown = printable(text)
    mustBePlain(shown, "what is shown")
    mustHold(printable(shown) === shown, "what is shown is another when it is shown again")
    mustBePlain(blanked(text), "what is blanked")
    mustHold(cut(text, 128).length <= 128, "what is cut is too long")
    mustHold(JSON.parse(printableJson(text)) === text, "JSON that is printable is another value")
    const bytes = bytesOf(text)
    mustHold(Buffer.compare(bytes, bytesOfText(textOfBytes(bytes))) === 0, "bytes are others when they are sent again")
    const { reason } = classify(new RedisError({ cause: new Error(text) }))
    return `${reason._tag} ${shown === text}`
  }
}

const parsed = (parse: (text: string) => unknown, text: string): { readonly value: unknown } | undefined => {
  try {
    return { value: parse(text) }
  } catch (error) {
    mustHold(error instanceof SyntaxError, "it is refused with another error")
    return undefined
  }
}

export const json: Target = {
  name: "json",
  seeds: [
    ['{"a":[1.50,12345678901234567891,1e400,-0,0.1000000000000000055511151231257827],"b":{"":null}}'],
    [`${"[".repeat(70)}1${"]".repeat(70)}`],
    [`[${"1,".repeat(10_001)}1]`]
  ],
  words: ["12345678901234567891", "1e400", "1e-400", "-0.0", '"__proto__":', "1E+400", "0e999", "\t"],
  attempt: ([text = ""]) => {
    const problem = jsonLimitProblem(text)
    // Nobody parses what is beyond the limits.
    if (problem !== undefined) return problem
    const plain = parsed(JSON.parse, text)
    const lossless = parsed(parseLossless, text)
    mustHold((plain === undefined) === (lossless === undefined), "one parser takes what the other refuses")
    if (plain === undefined || lossless === undefined) return "not JSON"
    const written = JSON.stringify(lossless.value)
    mustHold(JSON.stringify(parseLossless(written)) === written, "it is another when it is written again")
    mustHold(
      JSON.stringify(withDoubles(lossless.value)) === JSON.stringify(plain.value),
      "it is another than JSON.parse gives"
    )
    return written === JSON.stringify(plain.value) ? "doubles" : "long numbers"
  }
}
