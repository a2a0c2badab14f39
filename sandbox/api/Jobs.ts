import { Context, Deferred, Effect, Layer, Queue } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { PaymentRequired, type Refusal, Unavailable, Unprocessable } from "./errors.ts"
import type { JobRequest } from "./JobRequest.ts"
import { Notifications } from "./Notifications.ts"

/** What became of a request that was not refused. */
export interface Added {
  readonly jobId: number
  readonly creditsDeducted: number
  /** Whether this is the answer to an earlier request for the same event. */
  readonly replayed: boolean
}

interface Waiting {
  readonly job: JobRequest
  readonly json: string
  readonly answer: Deferred.Deferred<Added, Refusal>
}

interface Row {
  readonly number: number
  readonly outcome: "created" | "replayed" | "conflict" | "unknown_user" | "unknown_model" | "insufficient_balance"
  readonly job_id: bigint | null
  readonly credits: bigint | null
}

/** The largest group of requests that share a transaction. */
const GROUP = 64

const unavailable = (error: SqlError) =>
  new Unavailable({ error_code: "DATABASE_UNAVAILABLE", error_message: error.reason._tag })

/** Data that PostgreSQL itself refuses (SQLSTATE classes 22 and 23): for instance the character U+0000. */
const isRefusedData = (error: SqlError): boolean => {
  const cause = error.reason.cause
  const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : undefined
  return typeof code === "string" && (code.startsWith("22") || code.startsWith("23"))
}

const refused = (outcome: Exclude<Row["outcome"], "created" | "replayed">, job: JobRequest): Refusal => {
  switch (outcome) {
    case "conflict":
      return new Unprocessable({
        error_code: "EVENT_CONFLICT",
        error_message: "this event_id was added before with other content"
      })
    case "unknown_user":
      return new Unprocessable({ error_code: "UNKNOWN_USER", error_message: `there is no user ${job.user_id}` })
    case "unknown_model":
      return new Unprocessable({ error_code: "UNKNOWN_MODEL", error_message: `there are no costs for ${job.model}` })
    case "insufficient_balance":
      return new PaymentRequired({
        error_code: "INSUFFICIENT_BALANCE",
        error_message: `the balance of ${job.user_id} does not cover this job`
      })
  }
}

/** Adds jobs: requests that arrive while a transaction runs share the next one. */
export class Jobs extends Context.Service<
  Jobs,
  {
    /** Charges and stores once an event. `json` is the body as it was signed. */
    readonly add: (job: JobRequest, json: string) => Effect.Effect<Added, Refusal>
    /** A user's jobs after the given one, oldest first. */
    readonly createdAfter: (userId: string, jobId: number) => Effect.Effect<ReadonlyArray<number>, Unavailable>
  }
>()("sandbox/api/Jobs") {
  static readonly layer = Layer.effect(
    Jobs,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const notifications = yield* Notifications
      const queue = yield* Queue.unbounded<Waiting>()

      const settle = (waiting: Waiting, row: Row) => {
        if (row.outcome !== "created" && row.outcome !== "replayed") {
          return Deferred.fail(waiting.answer, refused(row.outcome, waiting.job))
        }
        const jobId = Number(row.job_id)
        const replayed = row.outcome === "replayed"
        if (!replayed) notifications.jobCreated(waiting.job.user_id, jobId)
        return Deferred.succeed(waiting.answer, { jobId, creditsDeducted: Number(row.credits), replayed })
      }

      const commit = (group: ReadonlyArray<Waiting>) =>
        Effect.flatMap(
          sql<Row>`SELECT * FROM add_jobs(${`[${group.map((one) => one.json).join(",")}]`}::text::jsonb)`,
          // In the order of the job ids, so that a listener hears of them in that order too.
          (rows) => Effect.forEach(rows, (row) => settle(group[row.number - 1]!, row), { discard: true })
        )

      /** A group that fails as a whole is tried one by one, so that one request cannot fail its neighbours. */
      const run = (group: ReadonlyArray<Waiting>): Effect.Effect<void> =>
        Effect.catch(commit(group), (error) => {
          if (group.length > 1 && error.reason._tag !== "ConnectionError") {
            return Effect.forEach(group, (one) => run([one]), { discard: true })
          }
          const refusal = isRefusedData(error)
            ? new Unprocessable({ error_code: "UNSTORABLE", error_message: "the database refuses this content" })
            : unavailable(error)
          return Effect.forEach(group, (one) => Deferred.fail(one.answer, refusal), { discard: true })
        })

      // A defect fails its own group only: the writer goes on for all others.
      const guarded = (group: ReadonlyArray<Waiting>) =>
        Effect.catchDefect(run(group), (defect) =>
          Effect.andThen(
            Effect.logError("A group of jobs failed", defect),
            Effect.forEach(group, (one) => Deferred.die(one.answer, defect), { discard: true })
          )
        )

      yield* Queue.takeBetween(queue, 1, GROUP).pipe(Effect.flatMap(guarded), Effect.forever, Effect.forkScoped)

      return Jobs.of({
        add: Effect.fnUntraced(function* (job, json) {
          const answer = yield* Deferred.make<Added, Refusal>()
          yield* Queue.offer(queue, { job, json, answer })
          return yield* Deferred.await(answer)
        }),
        createdAfter: (userId, jobId) =>
          sql<{ readonly job_id: bigint }>`
            SELECT job_id FROM jobs WHERE user_id = ${userId} AND job_id > ${jobId} ORDER BY job_id
          `.pipe(
            Effect.map((rows) => rows.map((row) => Number(row.job_id))),
            Effect.mapError(unavailable)
          )
      })
    })
  )
}
