/** The admin API's answers: the programs that the commands run, and the pages show. */

import { Clock, Duration, Effect, Layer, Result, Schedule, Stream } from "effect"
import type { HttpServerRequest } from "effect/http"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import { auditValue } from "../../domain/audit/auditRecord.ts"
import { instant } from "../../domain/events/instant.ts"
import { typedDurationOf } from "../../domain/options/duration.ts"
import { pointInTime, pointInTimeRule } from "../../domain/options/pointInTime.ts"
import { namedPartition } from "../../domain/traffic/namedPartition.ts"
import { rateOf, rateRule } from "../../domain/traffic/rate.ts"
import type { Subject } from "../../domain/traffic/rules.ts"
import { type ActRequest, usualRate } from "../../programs/operator/actOnFailed.ts"
import { lookedValue } from "../../programs/operator/eventSearch.ts"
import type { Place } from "../../programs/operator/failedEntry.ts"
import { heldBack } from "../../programs/operator/heldBack.ts"
import { groupsWithin, pageOf } from "../../programs/operator/look.ts"
import { JobRefused } from "../../programs/operator/redriveJobs.ts"
import { minutes, replicas } from "../../programs/operator/replicas.ts"
import { heldValue, ruleValue } from "../../programs/operator/ruleValue.ts"
import { type Filters, SelectionError, type Source, select } from "../../programs/operator/selection.ts"
import {
  askProbe,
  type Changed,
  currentRules,
  liftRule,
  type Setting,
  setRule,
  TooManyRules
} from "../../programs/traffic/controlTraffic.ts"
import type { EventStreamsError } from "../../services/EventStreamsError.ts"
import { auditPage, placeIn, storyOf } from "../bounded.ts"
import { filtersIn, type GivenFilters } from "../filters.ts"
import { CurrentVisitor } from "../guard.ts"
import { overviewNow } from "../overviewNow.ts"
import { controlledOf, glancedOf, Served } from "../served.ts"
import { entryValue, jobValue, rehearsalValue } from "./answers.ts"
import { configuration } from "./configurationHandlers.ts"
import {
  Api,
  CannotBeMeant,
  Conflict,
  type ExportBody,
  Guarded,
  type JobBody,
  NotAvailable,
  NotKnown,
  type RuleBody
} from "./definition.ts"
import { minutesValue, overviewValue, streamsValue } from "./statusAnswers.ts"

type Failure = EventStreamsError | SelectionError

const meant = (problem: string) => Effect.fail(new CannotBeMeant({ detail: problem }))

const told = <A, R>(effect: Effect.Effect<A, Failure | CannotBeMeant, R>) =>
  Effect.mapError(effect, (error) => {
    if (error instanceof CannotBeMeant) return error
    return error instanceof SelectionError
      ? new CannotBeMeant({ detail: error.message })
      : new NotAvailable({ detail: error.message })
  })

const unavailable = <A, R>(effect: Effect.Effect<A, EventStreamsError, R>) =>
  Effect.mapError(effect, ({ message }) => new NotAvailable({ detail: message }))

const filtersOf = Effect.fnUntraced(function* (given: GivenFilters): Effect.fn.Return<Filters, CannotBeMeant> {
  const read = filtersIn(given, yield* Clock.currentTimeMillis)
  return Result.isSuccess(read) ? read.success : yield* meant(read.failure)
})

/** Entries that are looked at where the request does not say how many. */
const usualLook = 20_000
const usualPage = 50

const sourceOf = (place: Place) => Effect.map(Served, ({ sets, streams }): Source => ({ streams, sets, place }))

type PageQuery = GivenFilters & {
  readonly cursor?: string | undefined
}

const entriesOf = (place: Place, query: PageQuery, limit = usualPage, look = usualLook) =>
  told(
    Effect.gen(function* () {
      const source = yield* sourceOf(place)
      const selection = yield* select(source, yield* filtersOf(query))
      const page = yield* pageOf(source, selection, { cursor: query.cursor, most: look }, limit)
      return { entries: page.entries.map(entryValue), looked: page.looked, next: page.next ?? null }
    })
  )

/** The answer has no minutes. */
const seen = overviewNow(0)

const noJob = new NotKnown({ detail: "there is no such job" })

const jobOf = Effect.fnUntraced(function* (id: string) {
  const job = yield* (yield* Served).jobs.find(id)
  return job === undefined ? yield* noJob : jobValue(job)
})

const cancelJob = Effect.fnUntraced(function* (id: string) {
  const job = yield* (yield* Served).jobs.cancel(id)
  return job === undefined ? yield* noJob : jobValue(job)
})

/** How often the live figures are told. */
const liveEvery = Duration.seconds(2)

const reading = HttpApiBuilder.group(Api, "reading", (handlers) =>
  handlers
    .handle("overview", () => unavailable(Effect.map(seen, overviewValue)))
    .handle("replicas", () => unavailable(Effect.flatMap(Served, (served) => replicas(controlledOf(served)))))
    .handle("streams", () => unavailable(Effect.map(seen, streamsValue)))
    .handle("minutes", ({ query: { since = "1h" } }) =>
      told(
        Effect.gen(function* () {
          const from = pointInTime(since, yield* Clock.currentTimeMillis)
          if (from === undefined) return yield* meant(`since: must be ${pointInTimeRule}`)
          return minutesValue(yield* minutes(controlledOf(yield* Served), from))
        })
      )
    )
    .handle("groups", ({ query: { by = "error", look = usualLook, place, ...given } }) =>
      told(
        Effect.gen(function* () {
          const source = yield* sourceOf(place)
          const selection = yield* select(source, yield* filtersOf(given))
          const { grouped, looked, matched, next } = yield* groupsWithin(source, selection, [by], { most: look })
          return {
            by,
            groups: grouped
              .of(by)
              .slice(0, 1_000)
              .map(({ count, first, key, last, latestId }) => ({
                key,
                count,
                first: instant(first),
                last: instant(last),
                latest_id: latestId
              })),
            matched,
            looked,
            next: next ?? null
          }
        })
      )
    )
    .handle("dlq", ({ query: { limit, look, ...query } }) => entriesOf("dlq", query, limit, look))
    .handle("abandoned", ({ query: { limit, look, ...query } }) => entriesOf("abandoned", query, limit, look))
    .handle("event", ({ params, query: { id, stream, within = "7d" } }) =>
      told(
        Effect.gen(function* () {
          const span = typedDurationOf(within)
          if (span === undefined) return yield* meant('within: must be a duration such as 2d or "2 days"')
          const place = placeIn(stream, id)
          const { chapters, searched, verdict } = yield* storyOf(params.event_id, { place, within: span })
          return {
            event_id: params.event_id,
            verdict,
            chapters,
            is_whole: searched.isWhole,
            looked: lookedValue(searched)
          }
        })
      )
    )
    .handle("rules", () =>
      told(
        Effect.gen(function* () {
          const served = yield* Served
          const { rules, unreadable } = yield* currentRules(controlledOf(served))
          const held = yield* heldBack(glancedOf(served), rules, usualLook)
          return { rules: held.rules.map(heldValue), looked: held.looked, problem: unreadable ?? null }
        })
      )
    )
    .handle("audit", ({ query: { cursor, limit = usualPage } }) =>
      told(
        Effect.map(auditPage(cursor, limit), ({ entries, next }) => ({
          changes: entries.map(auditValue),
          next: next ?? null
        }))
      )
    )
    .handle("jobs", () => Effect.flatMap(Served, ({ jobs }) => Effect.map(jobs.list, (all) => all.map(jobValue))))
    .handle("job", ({ params }) => jobOf(params.id))
    .handle("live", () =>
      Effect.map(Effect.context<Served>(), (context) =>
        // While Redis is away nothing is told; it goes on when it is back.
        Stream.fromEffectSchedule(Effect.option(seen), Schedule.spaced(liveEvery)).pipe(
          Stream.provideContext(context),
          Stream.flatMap((told) => (told._tag === "Some" ? Stream.succeed(overviewValue(told.value)) : Stream.empty))
        )
      )
    )
)

const wishOf = Effect.fnUntraced(function* ({ duration, why }: typeof RuleBody.Type) {
  const span = duration === undefined ? undefined : typedDurationOf(duration)
  if (duration !== undefined && span === undefined)
    return yield* meant('duration: must be a duration such as 10m or "10 minutes"')
  const { name } = yield* CurrentVisitor
  return { by: name ?? "", why, duration: span }
})

const partitionOf = ({ field = "", value = "" }: typeof RuleBody.Type) => {
  const read = namedPartition(`${field}=${value}`)
  return "problem" in read ? meant(read.problem) : Effect.succeed({ kind: "park", ...read } as const)
}

const settingOf = (body: typeof RuleBody.Type): Effect.Effect<Setting, CannotBeMeant> => {
  switch (body.kind) {
    case "pause":
      return Effect.succeed({ kind: "pause" })
    case "limit": {
      const rate = rateOf(body.rate ?? "")
      return rate === undefined ? meant(`rate: must be ${rateRule}`) : Effect.succeed({ kind: "limit", rate })
    }
    case "park":
      return partitionOf(body)
  }
}

const subjectOf = (body: typeof RuleBody.Type): Effect.Effect<Subject, CannotBeMeant> =>
  body.kind === "park" ? partitionOf(body) : Effect.succeed({ kind: body.kind })

const changed = <R>(change: Effect.Effect<Changed, EventStreamsError | TooManyRules | CannotBeMeant, R>) =>
  change.pipe(
    Effect.mapError((error) => {
      if (error instanceof CannotBeMeant) return error
      return error instanceof TooManyRules
        ? new Conflict({ detail: error.message })
        : new NotAvailable({ detail: error.message })
    }),
    Effect.map(({ rules, touched, unaudited }) => ({
      changed: touched.map(ruleValue),
      rules: rules.map(ruleValue),
      unaudited: unaudited?.message ?? null
    }))
  )

const requestOf = Effect.fnUntraced(function* ({
  action,
  all = false,
  filters,
  limit,
  rate = usualRate,
  why
}: typeof JobBody.Type): Effect.fn.Return<ActRequest, CannotBeMeant> {
  const { name } = yield* CurrentVisitor
  return { action, filters: yield* filtersOf(filters ?? {}), all, limit, rate, by: name ?? "", why }
})

/** Starts a job, or says what one would do. */
const startJob = Effect.fnUntraced(function* (
  payload: typeof JobBody.Type,
  key: string | undefined,
  request: HttpServerRequest.HttpServerRequest
) {
  const { jobs } = yield* Served
  const asked = yield* requestOf(payload)
  if (payload.dry_run === true) return rehearsalValue(yield* jobs.rehearse(asked))
  const once = key === undefined ? undefined : { key: `${asked.by} ${key}`, asked: yield* Effect.orDie(request.text) }
  return jobValue(yield* jobs.start(asked, once))
})

const refusedJob = (error: Failure | CannotBeMeant | JobRefused): CannotBeMeant | Conflict | NotAvailable => {
  if (error instanceof CannotBeMeant) return error
  if (error instanceof SelectionError) return new CannotBeMeant({ detail: error.message })
  return error instanceof JobRefused
    ? new Conflict({ detail: error.message })
    : new NotAvailable({ detail: error.message })
}

/** What breaks off breaks the answer off. */
const exported = Effect.fnUntraced(function* ({ filters: given, place, why }: typeof ExportBody.Type) {
  const { name } = yield* CurrentVisitor
  const now = yield* Clock.currentTimeMillis
  const filters = yield* filtersOf(given ?? {})
  const until = Math.min(now, filters.until ?? now)
  const lines = yield* (yield* Served).jobs.exportLines({ place, filters: { ...filters, until }, by: name ?? "", why })
  return Stream.orDie(Stream.encodeText(lines))
})

const acting = HttpApiBuilder.group(Api, "acting", (handlers) =>
  handlers
    .handle("setRule", ({ payload }) =>
      changed(
        Effect.gen(function* () {
          const wish = yield* wishOf(payload)
          return yield* setRule(controlledOf(yield* Served), yield* settingOf(payload), wish)
        })
      )
    )
    .handle("liftRule", ({ payload }) =>
      changed(
        Effect.gen(function* () {
          const wish = yield* wishOf(payload)
          return yield* liftRule(controlledOf(yield* Served), yield* subjectOf(payload), wish)
        })
      )
    )
    .handle("probe", ({ payload: { why } }) =>
      changed(
        Effect.gen(function* () {
          const { name } = yield* CurrentVisitor
          return yield* askProbe(controlledOf(yield* Served), { by: name ?? "", why })
        })
      )
    )
    .handle("startJob", ({ headers, payload, request }) =>
      Effect.mapError(startJob(payload, headers["idempotency-key"], request), refusedJob)
    )
    .handle("export", ({ payload }) => Effect.mapError(exported(payload), refusedJob))
    .handle("cancelJob", ({ params }) => cancelJob(params.id))
)

export const routes = HttpApiBuilder.layer(Api, { openapiPath: "/api/v1/openapi.json" }).pipe(
  Layer.provide([reading, acting, configuration]),
  Layer.provide([
    Layer.succeed(Guarded, { bearer: (app) => app }),
    HttpApiMiddleware.layerProblemDetails({ includeDetails: true })
  ])
)
