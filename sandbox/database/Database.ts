import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, type Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { migrate } from "./migrations.ts"

/** Where the database is. */
export interface DatabaseOptions {
  /** `postgresql://user:password@host:port/database` */
  readonly url: Redacted.Redacted
  /** The embedded database serves one connection only: 1. */
  readonly connections: number
  /** The schema that holds the tables; the user's default one if not given. */
  readonly schema?: string | undefined
}

/**
 * The client alone: one driver for the embedded database and for PostgreSQL. Waits up to 10 seconds for a database that
 * is starting, or (the embedded one) that still serves its last client.
 */
export const layerClient = (options: DatabaseOptions) =>
  Layer.effectDiscard(
    Effect.flatMap(SqlClient, (sql) => sql`SELECT 1`).pipe(
      Effect.retry({
        schedule: Schedule.spaced("100 millis"),
        times: 100,
        while: (error) => error.reason._tag === "ConnectionError"
      })
    )
  ).pipe(
    Layer.provideMerge(
      PgClient.layer({
        url: options.url,
        applicationName: "job-collector-sandbox",
        maxConnections: options.connections,
        ...(options.schema === undefined ? {} : { startupParameters: { search_path: options.schema } })
      })
    )
  )

/** The client, with the schema brought up to date. */
export const layer = (options: DatabaseOptions) =>
  Layer.effectDiscard(migrate).pipe(Layer.provideMerge(layerClient(options)))
