import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Schema } from "effect"
import { EventKind, JobCollector } from "job-collector"

/** The kinds that the shop's collector has among its options. */
const refunds = EventKind.make({
  name: "refund",
  stream: "shop:events:refund",
  schema: Schema.Struct({ event_id: Schema.NonEmptyString, cents: Schema.FiniteFromString }),
  request: (refund) => ({ path: "/api/refunds", body: refund, idempotencyKey: refund.event_id })
})

/**
 * Every command of `job-collector` but `run` and `console`, for the shop's own events: `node own-command.ts abandoned list`, `why r-1`,
 * `abandoned replay --all --why "API mended"`, `lint --kind refund refunds.ndjson`. Settings such as `REDIS_URL` come from the environment.
 */
JobCollector.cli([refunds], { name: "shop" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
