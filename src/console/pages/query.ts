/** A page's question: filters in the URL, the same as the command's flags. */
import { Clock, Effect, Result } from "effect"
import { HttpServerRequest } from "effect/http"
import type { Place } from "../../programs/operator/failedEntry.ts"
import { type Filters, filtersText, SelectionError } from "../../programs/operator/selection.ts"
import { filterNames, filtersIn } from "../filters.ts"

/** What a form or a URL gives. */
export type Given = URLSearchParams

const queryOf = (request: HttpServerRequest.HttpServerRequest): Given =>
  new URLSearchParams(/\?(.*)$/s.exec(request.url)?.[1] ?? "")

export const givenQuery = Effect.map(HttpServerRequest.HttpServerRequest, queryOf)

export const givenForm = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  return new URLSearchParams(yield* request.text)
})

/** The filters of a URL or a form as it has them, the empty ones left out. */
export const filterPairs = (given: Given): ReadonlyArray<readonly [name: string, value: string]> =>
  [...given].filter(([name, value]) => filterNames.includes(name) && value !== "")

export const filtersGiven = Effect.fnUntraced(function* (given: Given): Effect.fn.Return<Filters, SelectionError> {
  const read = filtersIn(
    Object.fromEntries(filterNames.map((name) => [name, given.getAll(name)])),
    yield* Clock.currentTimeMillis
  )
  return Result.isSuccess(read) ? read.success : yield* new SelectionError({ problem: read.failure })
})

export const placeGiven = (given: Given): Place => (given.get("place") === "dlq" ? "dlq" : "abandoned")

/** An address with these in its query, in the place of others of the same name; an undefined one is left out. */
export const linkTo = (
  path: string,
  pairs: ReadonlyArray<readonly [string, string]>,
  others: Readonly<Record<string, string | undefined>> = {}
): string => {
  const query = new URLSearchParams()
  for (const [name, value] of pairs) if (!(name in others)) query.append(name, value)
  for (const [name, value] of Object.entries(others)) if (value !== undefined) query.append(name, value)
  return query.size === 0 ? path : `${path}?${query}`
}

/** The command that shows the same. */
export const commandOf = (command: string, filters: Filters): string =>
  ["job-collector", command, filtersText(filters)].filter((word) => word !== "").join(" ")
