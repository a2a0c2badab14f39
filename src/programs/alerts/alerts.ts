/**
 * Posts what happens and somebody should know of (contract section 8, "Told by itself"). Of each kind it keeps the latest only,
 * so that a webhook that is slow or away costs no memory, and nothing else waits for it.
 */
import { Clock, Effect, Metric, Schedule, Stream } from "effect"
import { type Alert, type AlertOptions, alertBody, alertOf, type Teller } from "../../domain/alerts/alert.ts"
import { type Turn, type TurnAnswer, takeTurn } from "../../domain/alerts/turn.ts"
import { utf8 } from "../../domain/signing/bytes.ts"
import type { AlertWebhook } from "../../services/AlertWebhook.ts"
import type { EventStreams } from "../../services/EventStreams.ts"
import * as Metrics from "../../services/Metrics.ts"
import type { Happenings } from "../delivery/state/happenings.ts"
import { ChangeSignal, Waiter } from "../redis/changeSignal.ts"
import { monotonicMillis, monotonicMillisOf } from "../redis/monotonic.ts"
import type { RedisAvailability } from "../redis/redisAvailability.ts"
import { noteFailure } from "../redis/retryRedis.ts"
import { repeatSteps, step, waiting } from "../supervision/loop.ts"

export const loopName = "alerts"

export interface AlertParts {
  readonly format: AlertOptions["format"]
  readonly webhook: AlertWebhook["Service"]
  readonly happenings: Happenings
  readonly streams: EventStreams["Service"]
  readonly availability: RedisAvailability
  /** Beside which the replicas agree. */
  readonly stream: string
  readonly teller: Teller
}

interface Pending {
  alert: Alert
  /** How often it happened since Redis was last asked. */
  fresh: number
  /** When to ask, by the monotonic clock. */
  dueAt: number
}

/** What waits for its turn is counted in Redis after this time, so that whoever tells next has it. */
const countedAfterMs = 10_000
/** For so long Redis may take to say whose turn it is. */
const askPatience = "3 seconds"
/** After 1, 5 and 25 seconds. */
const again = Schedule.upTo(Schedule.exponential("1 second", 5), { times: 3 })
/** Four attempts of 10 seconds each, and the waits between them. */
const postingMs = 75_000

export const makeAlerts = ({
  availability,
  format,
  happenings,
  stream,
  streams,
  teller,
  webhook
}: AlertParts): Effect.Effect<never> => {
  const pending = new Map<string, Pending>()
  const came = new ChangeSignal()
  /** What this replica told, by its own clock: what holds while Redis is away. */
  const own = new Map<string, Turn>()

  const follow = Stream.runForEach(happenings.stream, (happening) => {
    const alert = alertOf(happening)
    if (alert === undefined) return Effect.void
    return Effect.map(monotonicMillis, (now) => {
      const known = pending.get(alert.turn)
      if (known === undefined) pending.set(alert.turn, { alert, fresh: 1, dueAt: now })
      else {
        known.alert = alert
        known.fresh += 1
        known.dueAt = Math.min(known.dueAt, now + countedAfterMs)
      }
      came.notify()
    })
  }).pipe(Effect.andThen(Effect.never))

  const goAlone = (alert: Alert, count: number): Effect.Effect<TurnAnswer> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const { answer, turn } = takeTurn(own.get(alert.turn), { ...alert.rule, count }, now)
      own.set(alert.turn, turn)
      return answer
    })

  const ask = (alert: Alert, count: number): Effect.Effect<TurnAnswer> => {
    if (!availability.up) return goAlone(alert, count)
    return streams.takeTurn(stream, teller.group, alert.turn, { ...alert.rule, count }).pipe(
      Effect.tap((answer) =>
        Effect.map(Clock.currentTimeMillis, (at) => {
          if (answer._tag === "Told") own.set(alert.turn, { at, left: 0, what: alert.rule.what })
        })
      ),
      Effect.timeoutOrElse({ duration: askPatience, orElse: () => goAlone(alert, count) }),
      Effect.catch((error) => Effect.andThen(noteFailure(availability, loopName, error), goAlone(alert, count)))
    )
  }

  const post = Effect.fnUntraced(function* (alert: Alert, count: number) {
    const body = utf8(alertBody(alert, count, teller, format))
    const sent = yield* Effect.result(
      Effect.retry(webhook.post(body), { schedule: again, while: ({ final }) => !final })
    )
    yield* Metric.update(Metrics.alerts(sent._tag === "Success" ? "sent" : "failed"), 1)
    if (sent._tag === "Success") return
    const times = availability.logThrottle.ongoing(loopName, yield* monotonicMillis)
    if (times === 0) return
    yield* Effect.logWarning("alert.failed").pipe(
      Effect.annotateLogs({ kind: alert.kind, problem: sent.failure.problem, times })
    )
  })

  const tell = Effect.fnUntraced(function* (one: Pending) {
    const { alert, fresh } = one
    one.fresh = 0
    const answer = yield* ask(alert, fresh)
    if (answer._tag === "Wait") {
      one.dueAt = (yield* monotonicMillis) + answer.ms
      return
    }
    // What came while Redis was asked is asked for by itself.
    if (one.fresh > 0) one.dueAt = yield* monotonicMillis
    else pending.delete(alert.turn)
    if (answer._tag === "Told") yield* step(post(alert, answer.count), postingMs)
  })

  const next = Effect.clockWith((clock) => {
    const waiter = new Waiter(came)
    const now = monotonicMillisOf(clock)
    const first = [...pending.values()].reduce<Pending | undefined>(
      (a, b) => (a === undefined || b.dueAt < a.dueAt ? b : a),
      undefined
    )
    return first === undefined || first.dueAt > now ? waiting(waiter.wait(first?.dueAt)) : tell(first)
  })

  return Effect.all([follow, repeatSteps(next)], { concurrency: "unbounded" }).pipe(Effect.andThen(Effect.never))
}
