import { Effect } from "effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import { configuration } from "./migrations/0001_configuration.ts"
import { jobs } from "./migrations/0002_jobs.ts"
import { addJobs } from "./migrations/0003_add_jobs.ts"

/** PostgreSQL takes one statement a round trip, so a migration is a list of them. */
const statements = (list: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    for (const statement of list) yield* sql.unsafe(statement)
  })

/** Brings the schema up to date, in one transaction; safe to run at every start and from several processes. */
export const migrate = Migrator.make({})({
  loader: Migrator.fromRecord({
    "0001_configuration": statements(configuration),
    "0002_jobs": statements(jobs),
    "0003_add_jobs": statements(addJobs)
  }),
  table: "sandbox_migrations"
})
