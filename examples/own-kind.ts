import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Context, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import { EventKind, JobCollector, layerIoRedis, layerLeanHttpClient, layerNativeSigner } from "job-collector"

/** What the requests need: a service of your own, given where the collector's layer is built. */
export class Prices extends Context.Service<Prices, { readonly of: (item: string) => Effect.Effect<number, Error> }>()(
  "shop/Prices"
) {}

const Booking = Schema.fromJsonString(
  Schema.Struct({ state: Schema.String, booking: Schema.optionalKey(Schema.String) })
)

/**
 * Booked by a shop that answers 200 and means "not yet": tried again after one second, then two, four and so on, ten
 * times. What it has deleted (410) is given up at once.
 */
const orders = EventKind.make({
  name: "order",
  stream: "shop:events:order",
  schema: Schema.Struct({ order_id: Schema.NonEmptyString, item: Schema.NonEmptyString }),
  request: ({ item, order_id }) =>
    Effect.gen(function* () {
      const prices = yield* Prices
      return {
        method: "PUT" as const,
        path: `/api/orders/${encodeURIComponent(order_id)}`,
        headers: { "x-shop": "7" },
        body: { item, price: yield* prices.of(item) },
        idempotencyKey: order_id
      }
    }),
  success: ({ body, status }) => {
    if (status < 200 || status >= 300) return EventKind.refused(`HTTP_${status}`, "the shop refused")
    const { booking, state } = Schema.decodeUnknownSync(Booking)(body)
    return state === "booked" ? EventKind.accepted({ jobId: booking }) : EventKind.refused("NOT_YET", `it is ${state}`)
  },
  retry: Schedule.exponential("1 second", 2).pipe(Schedule.upTo({ times: 10 })),
  rejectStatuses: [410],
  timeout: "30 seconds"
})

/** A collector of orders alone: the built-in kinds are left out, and so is the probe of their API's configurations. */
export const makeOrders = (apiBaseUrl: string) =>
  JobCollector.layer({
    apiBaseUrl,
    groupStartId: "0",
    streams: [
      { transcribe: "shop:none:1", process: "shop:none:2", dlq: "shop:events:dlq", abandoned: "shop:events:abandoned" }
    ],
    kinds: [orders],
    builtInKinds: false,
    apiProbe: false
  })

export const main = (settings: { redisUrl: string; apiBaseUrl: string; privateKey: string }) =>
  JobCollector.join.pipe(
    Effect.provide(makeOrders(settings.apiBaseUrl)),
    Effect.provide([
      Layer.succeed(Prices, { of: (item) => Effect.succeed(item.length) }),
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      layerNativeSigner(Redacted.make(settings.privateKey))
    ]),
    NodeRuntime.runMain
  )
