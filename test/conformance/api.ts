/** The sandbox's API as a process, and the conformance test held against it or what stands before it. */
import { randomBytes } from "node:crypto"
import { Duration, Effect, Layer, Redacted } from "effect"
import { type ApiProcess, startApi } from "../../sandbox/api/process.ts"
import * as Database from "../../sandbox/database/Database.ts"
import { seed } from "../../sandbox/database/seed.ts"
import * as NodeApiWire from "../../src/layers/http/NodeApiWire.ts"
import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { type Finding, verify } from "../../src/programs/conformance/conformance.ts"
import { ApiWire } from "../../src/services/ApiWire.ts"
import { Signer } from "../../src/services/Signer.ts"
import type { RunningDatabase } from "../sandbox/databaseSuite.ts"
import { freePort } from "../support/redis-server.ts"

export interface TestedApi {
  readonly url: string
  /** Of the service `job-collector`. */
  readonly privateKey: string
  readonly stop: () => Promise<void>
}

/** The sandbox's API on a database, with a user who can pay for every test. */
export const startTestedApi = async (database: RunningDatabase): Promise<TestedApi> => {
  const privateKey = randomBytes(32).toString("hex")
  const publicKey = await Effect.runPromise(
    Effect.map(Signer, (signer) => Buffer.from(signer.publicKey).toString("hex")).pipe(
      Effect.provide(NativeSigner.layer(Redacted.make(privateKey)))
    )
  )
  const users = [{ id: "conformance", credits: 1_000_000_000 }]
  const options = { url: Redacted.make(database.url), connections: 1 }
  await Effect.runPromise(Effect.provide(seed(users), Database.layer(options)))
  const api: ApiProcess = await startApi({
    port: await freePort(),
    databaseUrl: database.url,
    databaseConnections: database.connections,
    serviceKeys: { "job-collector": publicKey },
    operatorToken: "operator-of-the-test"
  })
  return {
    url: api.url,
    privateKey,
    stop: async () => {
      await api.child.stop()
      await database.stop()
    }
  }
}

/** What the conformance test finds about an API at a URL. */
export const findingsOf = (
  url: string,
  privateKey: string,
  options: { readonly pauseMs?: number } = {}
): Promise<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const stranger = NativeSigner.layer(Redacted.make(randomBytes(32).toString("hex")))
    const { findings } = yield* verify(
      {
        wire: yield* ApiWire,
        signer: yield* Signer,
        stranger: yield* Effect.provide(Signer, stranger),
        serviceId: "job-collector",
        userId: "conformance",
        model: "gpt-4o",
        prefix: `test-${randomBytes(6).toString("hex")}-`,
        slowness: Duration.millis(options.pauseMs ?? 5)
      },
      () => Effect.void
    )
    return findings
  }).pipe(
    Effect.provide(
      Layer.merge(
        NativeSigner.layer(Redacted.make(privateKey)),
        NodeApiWire.layer({ baseUrl: url, timeout: Duration.seconds(30) })
      )
    ),
    Effect.runPromise
  )

/** The lines that are red. */
export const brokenIn = (findings: ReadonlyArray<Finding>): ReadonlyArray<string> =>
  findings.filter(({ ok }) => !ok).map(({ rule, seen }) => `${rule}: ${seen}`)
