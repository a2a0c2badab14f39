import { Schema } from "effect"
import { jsonLimitProblem } from "./jsonLimits.ts"

/** JSON that anybody may have written: its size and shape are told before it is parsed. */
export const JsonText = (maxLength: number) =>
  Schema.String.check(
    Schema.makeFilter((text: string) =>
      text.length > maxLength ? `must be at most ${maxLength} characters` : jsonLimitProblem(text)
    )
  )
