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

const parts = (settings: { redisUrl: string; privateKey: string }) =>
  Layer.mergeAll(
    layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
    layerLeanHttpClient(),
    layerNativeSigner(Redacted.make(settings.privateKey))
  )

/** A collector of orders alone: the built-in kinds are left out, and so is the probe of their API's configurations. */
export const makeOrders = (settings: { redisUrl: string; apiBaseUrl: string; privateKey: string }) =>
  JobCollector.layer({
    name: "orders",
    apiBaseUrl: settings.apiBaseUrl,
    groupStartId: "0",
    streams: [
      { transcribe: "shop:none:1", process: "shop:none:2", dlq: "shop:events:dlq", abandoned: "shop:events:abandoned" }
    ],
    kinds: [orders],
    builtInKinds: false,
    apiProbe: false
  }).pipe(Layer.provide(parts(settings)))

/**
 * Two collectors in one app, each with an API of its own: two layers, whose services you tell apart by building them. `name` keeps
 * their metrics apart, by the label `collector`.
 */
export const makeBoth = (settings: { redisUrl: string; apiBaseUrl: string; shopUrl: string; privateKey: string }) =>
  Effect.all({
    jobs: Layer.build(
      JobCollector.layer({ name: "jobs", apiBaseUrl: settings.apiBaseUrl, groupStartId: "0" }).pipe(
        Layer.provide(parts(settings))
      )
    ),
    orders: Layer.build(makeOrders({ ...settings, apiBaseUrl: settings.shopUrl }))
  }).pipe(
    Effect.map(({ jobs, orders }) => ({
      jobs: Context.get(jobs, JobCollector),
      orders: Context.get(orders, JobCollector)
    }))
  )
