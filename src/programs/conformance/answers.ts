/** What holds of every answer, and of the connections that they come over (contract section 4). */
import { Effect } from "effect"
import { isJsonObject } from "../../domain/events/entry.ts"
import type { WireAnswer } from "../../services/ApiWire.ts"
import type { Rule } from "./rule.ts"
import { broken } from "./subject.ts"

const errorProblem = ({ body, status }: WireAnswer): string | undefined => {
  if (status < 400 || body.length === 0) return undefined
  try {
    const error: unknown = JSON.parse(new TextDecoder().decode(body))
    if (!isJsonObject(error)) return "is not a JSON object"
    const missing = ["error_code", "error_message"].find(
      (name) => typeof error[name] !== "string" || error[name] === ""
    )
    // A 409 that names a job is a success.
    return missing === undefined || (status === 409 && "job_id" in error) ? undefined : `has no ${missing}`
  } catch {
    return "is not JSON"
  }
}

export const answers: ReadonlyArray<Rule> = [
  {
    id: "error-bodies",
    title: 'errors say what is wrong: {"error_code": "…", "error_message": "…"}, or nothing',
    check: Effect.fnUntraced(function* (api) {
      const errors = api.answers().filter(({ status }) => status >= 400)
      for (const answer of errors) {
        const problem = errorProblem(answer)
        if (problem !== undefined) return yield* broken(`the body of a ${answer.status} ${problem}`)
      }
      return `${errors.length} errors do`
    })
  },
  {
    id: "plain-answers",
    title: "answers are neither redirects nor encoded: neither is asked for",
    check: Effect.fnUntraced(function* (api) {
      for (const { headers, status } of api.answers()) {
        if (status >= 300 && status < 400 && status !== 304) return yield* broken(`a redirect, ${status}`)
        const coding = headers["content-encoding"]
        if (coding !== undefined && coding !== "identity") return yield* broken(`Content-Encoding: ${coding}`)
      }
      return `${api.answers().length} answers are plain`
    })
  },
  {
    id: "keep-alive",
    title: "a connection is kept for the next request",
    check: Effect.fnUntraced(function* (api) {
      yield* api.get()
      for (let again = 0; again < 3; again++) {
        if ((yield* api.get()).reused) return "a second request went over it"
      }
      return yield* broken("each of 4 requests needed a new one")
    })
  }
]
