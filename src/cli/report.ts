/** `job-collector report`: an incident on one page, to be sent or kept. */
import { Clock, Effect } from "effect"
import { Command } from "effect/cli"
import { instant } from "../domain/events/instant.ts"
import type { Group } from "../programs/operator/groups.ts"
import { makeReport } from "../programs/operator/report.ts"
import { markdown } from "../programs/operator/reportText.ts"
import { filtersText, isFiltered, selectBoth } from "../programs/operator/selection.ts"
import { filters, filtersOf } from "./filters.ts"
import { json } from "./flags.ts"
import { operating } from "./operator.ts"
import { printJson, printLines } from "./output.ts"
import { progressLine } from "./progress.ts"

const groupValue = ({ count, first, key, last }: Group) => ({ key, count, first: instant(first), last: instant(last) })

export const report = Command.make("report", { ...filters, json }, (flags) =>
  operating(
    Effect.fnUntraced(function* ({ sets, streams }) {
      const given = yield* filtersOf(flags)
      const selected = yield* selectBoth(streams, sets, given)
      const looking = yield* progressLine("looked at", undefined)
      const made = yield* makeReport(selected, looking.step)
      yield* looking.end
      const now = yield* Clock.currentTimeMillis
      const filter = isFiltered(given) ? filtersText(given) : ""
      if (!flags.json) return yield* printLines(markdown(made, filter, now))
      const { groups, ...rest } = made
      yield* printJson({
        at: instant(now),
        filter,
        abandoned: rest.abandoned,
        waiting: rest.waiting,
        looked: rest.looked,
        users: groups.user.length,
        first: rest.first === undefined ? null : instant(rest.first),
        last: rest.last === undefined ? null : instant(rest.last),
        errors: groups.error.map(groupValue),
        streams: groups.stream.map(groupValue),
        models: groups.model.map(groupValue),
        top_users: groups.user.slice(0, 100).map(groupValue),
        hours: groups.hour.map(groupValue),
        acts: rest.acts.map(({ at, ...act }) => ({ at: instant(at), ...act }))
      })
    })
  )
)
