import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Redacted } from "effect"
import { JobCollector, layerIoRedis, layerLeanHttpClient, layerRemoteSigner } from "job-collector"

/** A key of HashiCorp Vault's transit engine (type `ed25519`): it signs there, and never leaves it. */
interface VaultKey {
  readonly address: string
  readonly name: string
  readonly token: Redacted.Redacted<string>
  /** `vault read transit/keys/{name}` shows it. */
  readonly publicKey: string
}

const signer = ({ address, name, publicKey, token }: VaultKey) =>
  layerRemoteSigner({
    publicKey,
    sign: async (message, signal) => {
      const response = await fetch(new URL(`/v1/transit/sign/${name}`, address), {
        method: "POST",
        headers: { "x-vault-token": Redacted.value(token) },
        body: JSON.stringify({ input: Buffer.from(message).toString("base64") }),
        signal
      })
      if (!response.ok) throw new Error(`Vault answered ${response.status}`)
      const { data } = (await response.json()) as { data: { signature: string } }
      // `vault:v1:…`, where v1 is the key's version.
      return Buffer.from(data.signature.split(":")[2] ?? "", "base64")
    }
  })

/** A collector without a private key. */
export const makeCollector = (settings: { redisUrl: string; apiBaseUrl: string; vault: VaultKey }) =>
  JobCollector.layer({ apiBaseUrl: settings.apiBaseUrl, groupStartId: "0" }).pipe(
    Layer.provide([
      layerIoRedis({ url: Redacted.make(settings.redisUrl) }),
      layerLeanHttpClient(),
      signer(settings.vault)
    ])
  )

export const main = (settings: Parameters<typeof makeCollector>[0]) =>
  JobCollector.join.pipe(Effect.provide(makeCollector(settings)), NodeRuntime.runMain)
