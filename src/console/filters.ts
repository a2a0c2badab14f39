/** The filters of "Selecting and acting" as a URL or a form has them. */
import { Duration, Result } from "effect"
import { typedDurationOf } from "../domain/options/duration.ts"
import { pointInTime, pointInTimeRule } from "../domain/options/pointInTime.ts"
import { type Filters, noFilters } from "../programs/operator/selection.ts"

/** By name: several values where the name is of several. */
export type GivenFilters = Readonly<Record<string, string | ReadonlyArray<string> | undefined>>

const severals = {
  id: "ids",
  event_id: "eventIds",
  reason: "reasons",
  error_code: "errorCodes",
  message: "messages",
  stream: "streams",
  user: "users",
  model: "models",
  session: "sessions"
} as const satisfies Readonly<Record<string, keyof Filters>>

/** What filters are called in a URL. */
export const filterNames: ReadonlyArray<string> = [
  ...Object.keys(severals),
  "where",
  "since",
  "until",
  "older_than",
  "newer_than"
]

const most = 200

const listOf = (given: GivenFilters[string]): ReadonlyArray<string> => {
  const all = given === undefined ? [] : typeof given === "string" ? [given] : given
  // A field of a form that was left empty is no filter.
  return all.filter((value) => value !== "")
}

const conditionOf = (text: string): Filters["where"][number] | undefined => {
  const at = text.indexOf("=")
  return at < 1 ? undefined : { field: text.slice(0, at), value: text.slice(at + 1) }
}

/** What is given as filters, ages counted from now; or what is wrong with it. */
export const filtersIn = (given: GivenFilters, now: number): Result.Result<Filters, string> => {
  const lists = Object.fromEntries(Object.entries(severals).map(([name, key]) => [key, listOf(given[name])]))
  const count = Object.values(lists).reduce((sum, list) => sum + list.length, 0) + listOf(given.where).length
  if (count > most) return Result.fail(`filters: no more than ${most} values may be given`)
  const where: Array<Filters["where"][number]> = []
  for (const text of listOf(given.where)) {
    const condition = conditionOf(text)
    if (condition === undefined) return Result.fail("where: must be field=value, such as device_id=phone-7")
    where.push(condition)
  }
  const times: Record<string, number> = {}
  for (const name of ["since", "until"]) {
    const [text] = listOf(given[name])
    if (text === undefined) continue
    const at = pointInTime(text, now)
    if (at === undefined) return Result.fail(`${name}: must be ${pointInTimeRule}`)
    times[name] = at
  }
  for (const [name, bound] of [
    ["newer_than", "since"],
    ["older_than", "until"]
  ] as const) {
    const [text] = listOf(given[name])
    if (text === undefined) continue
    const age = typedDurationOf(text)
    if (age === undefined) return Result.fail(`${name}: must be an age such as 2h or "2 hours"`)
    const at = Math.max(0, now - Duration.toMillis(age))
    const other = times[bound]
    times[bound] = other === undefined ? at : bound === "since" ? Math.max(other, at) : Math.min(other, at)
  }
  return Result.succeed({ ...noFilters, ...lists, where, since: times.since, until: times.until })
}
