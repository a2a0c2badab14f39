import * as NodeServices from "@effect/platform-node/NodeServices"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { Hex } from "effect/encoding"
import { TestClock } from "effect/testing"
import {
  Gateway,
  layerLeanHttpClient,
  layerNativeSigner,
  layerNobleSigner,
  layerNodeGateway,
  layerNodeProcesses,
  layerRequestVerifier,
  RequestVerifier,
  Signer
} from "job-collector"
import { requestSignatures } from "../support/vectors.ts"

const vector = requestSignatures[1]!

it.effect("an API author finds all that is needed in the package", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(vector.timestamp * 1000)
    const verifier = yield* RequestVerifier
    const { serviceId } = yield* verifier.verify({
      method: "POST",
      headers: { authorization: vector.authorization, "x-service-id": vector.service_id },
      body: new TextEncoder().encode(vector.body_utf8)
    })
    expect(serviceId).toBe(vector.service_id)
  }).pipe(Effect.provide(layerRequestVerifier({ services: { [vector.service_id]: [vector.public_key_hex] } })))
)

it.effect.each([layerNativeSigner, layerNobleSigner])("and either signer", (layer) =>
  Effect.gen(function* () {
    const signer = yield* Signer
    expect(Hex.encode(signer.publicKey)).toBe(vector.public_key_hex)
  }).pipe(Effect.provide(layer(Redacted.make(vector.private_key_hex))))
)

it.effect("and the gateway of this machine, for an app that keeps its files", () =>
  Effect.gen(function* () {
    const { configured, reload } = yield* Gateway
    expect(configured).toBe(true)
    expect((yield* Effect.flip(reload)).reason).toBe("NoProcess")
  }).pipe(
    Effect.provide(
      layerNodeGateway({ pidFile: "/nowhere/gateway.pid" }).pipe(
        Layer.provide([layerLeanHttpClient(), layerNodeProcesses]),
        Layer.provide(NodeServices.layer)
      )
    )
  )
)
