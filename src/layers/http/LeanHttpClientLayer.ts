/** The lean client's layer. The client is loaded when it is built, and undici with it, which takes as long as half of `effect`. */
import { Effect, Layer } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import type { Options } from "./LeanHttpClient.ts"

export type { Options } from "./LeanHttpClient.ts"

/**
 * The client, with connections of its own that close with the layer. Kept-alive connections are reused, one request at a
 * time; idle ones are closed after 4 seconds or when the server says. One that dies under a request before any answer came, after
 * it had answered others, costs nothing where the request may be repeated: it is sent once more, on a fresh connection.
 *
 * Fails with `HttpClientError`: `TransportError` (no response; the cause has undici's or the system's `code`),
 * `DecodeError` (a response whose body did not come whole, or one that is longer than allowed), `InvalidUrlError`.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { HttpClient } from "effect/http"
 * import { layerLeanHttpClient } from "job-collector"
 *
 * export const health = HttpClient.get("http://127.0.0.1:9464/health").pipe(
 *   Effect.flatMap((response) => response.json),
 *   Effect.provide(layerLeanHttpClient({ connectTimeout: "2 seconds" }))
 * )
 * ```
 */
export const layer = (options: Options = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("./LeanHttpClient.ts")),
      (client) => client.layer(options)
    )
  )
