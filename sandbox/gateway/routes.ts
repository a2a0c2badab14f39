import { Effect, Layer, Schema, Stream } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Configured } from "./Configured.ts"
import { Producer } from "./Producer.ts"

const Order = Schema.Struct({
  count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })),
  rate: Schema.Finite.check(Schema.isBetween({ minimum: 0.1, maximum: 10_000 }))
})
const Completion = Schema.Struct({ model: Schema.String, prompt: Schema.String })

const answers = (error_message: string, status: number) => HttpServerResponse.jsonUnsafe({ error_message }, { status })
const unreadable = Effect.succeed(answers("the body is not what it should be", 400))

/** `GET /status`: what the gateway runs and has produced. */
const status = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const configured = yield* Configured
    const producer = yield* Producer
    yield* router.add(
      "GET",
      "/status",
      Effect.sync(() => {
        const { configuration, reloads, reloadedAt, problem } = configured.running()
        return HttpServerResponse.jsonUnsafe({
          version: configuration?.version ?? null,
          reloads,
          reloaded_at: reloadedAt ?? null,
          problem: problem ?? null,
          ...producer.produced()
        })
      })
    )
    yield* router.add("GET", "/health", HttpServerResponse.text("ok"))
  })
)

/** `GET /v1/models`: what may be asked, by the running configuration. */
const models = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const configured = yield* Configured
    yield* router.add(
      "GET",
      "/v1/models",
      Effect.sync(() => {
        const running = configured.running().configuration
        return HttpServerResponse.jsonUnsafe({
          version: running?.version ?? null,
          models: [...(running?.models.values() ?? [])].filter(({ enabled }) => enabled)
        })
      })
    )
  })
)

/**
 * `POST /v1/completions`: a made-up answer, word by word over about half a second, and at its end the configuration
 * version it was begun with. Long enough to be under way while the configuration changes.
 */
const completions = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const configured = yield* Configured
    yield* router.add(
      "POST",
      "/v1/completions",
      Effect.gen(function* () {
        const { model, prompt } = yield* HttpServerRequest.schemaBodyJson(Completion)
        const running = configured.running().configuration
        if (running === undefined) return answers("not configured yet", 503)
        if (running.models.get(model)?.enabled !== true) return answers(`there is no model ${model}`, 404)
        const words = [...prompt.split(" ").slice(0, 20), `\n[version ${running.version}]\n`]
        const text = Stream.fromIterable(words).pipe(
          Stream.mapEffect((word) => Effect.delay(Effect.succeed(`${word} `), "25 millis")),
          Stream.encodeText
        )
        return HttpServerResponse.stream(text, {
          contentType: "text/plain; charset=utf-8",
          headers: { "x-configuration-version": `${running.version}` }
        })
      }).pipe(Effect.catchTags({ SchemaError: () => unreadable, HttpServerError: () => unreadable }))
    )
  })
)

/** `POST /produce {"count", "rate"}`: adds so many events to the streams, so many a second. */
const produce = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const producer = yield* Producer
    yield* router.add(
      "POST",
      "/produce",
      Effect.gen(function* () {
        yield* producer.order(yield* HttpServerRequest.schemaBodyJson(Order))
        return HttpServerResponse.empty({ status: 202 })
      }).pipe(Effect.catchTags({ SchemaError: () => unreadable, HttpServerError: () => unreadable }))
    )
  })
)

/** Every route of the gateway. */
export const routes = Layer.mergeAll(status, models, completions, produce)
