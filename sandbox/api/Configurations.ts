import { createHash } from "node:crypto"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Unavailable } from "./errors.ts"

/** The bundle that the gateway is configured with, as it is served. */
export interface Bundle {
  readonly json: string
  readonly etag: string
  /** RFC 9530. */
  readonly contentDigest: string
}

/** Whether an `If-None-Match` value names an entity tag (RFC 9110 section 13.1.2: weak comparison, lists, `*`). */
export const noneMatch = (header: string, etag: string): boolean =>
  header.trim() === "*" || header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag)

/** The configuration of the gateway: `ai_models` JOIN `ai_models_rules` JOIN `ai_models_costs`, keys and limits. */
export class Configurations extends Context.Service<
  Configurations,
  { readonly bundle: Effect.Effect<Bundle, Unavailable> }
>()("sandbox/api/Configurations") {
  static readonly layer = Layer.effect(
    Configurations,
    Effect.map(SqlClient, (sql) => ({
      bundle: sql<{
        readonly version: number
        readonly bundle: string
      }>`SELECT version, bundle FROM configuration_bundle`.pipe(
        Effect.map(([row]) => {
          const json = row!.bundle
          const digest = createHash("sha256").update(json).digest()
          return {
            json,
            etag: `"${row!.version}-${digest.toString("hex", 0, 8)}"`,
            contentDigest: `sha-256=:${digest.toString("base64")}:`
          }
        }),
        Effect.mapError(
          (error) => new Unavailable({ error_code: "DATABASE_UNAVAILABLE", error_message: error.reason._tag })
        )
      )
    }))
  )
}
