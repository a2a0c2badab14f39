import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { native } from "../../src/layers/signing/native.ts"
import { keyId } from "../../src/services/Signer.ts"
import { testKey } from "../support/collector-process.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { rfc8032 } from "../support/vectors.ts"
import { Scene } from "./scene.ts"

const second = { private: rfc8032[1]!.secretKey, public: Buffer.from(rfc8032[1]!.publicKey, "hex") }

const idOf = (publicKey: Uint8Array) => keyId({ publicKey, sha256: native.sha256 })

/** A folder of secrets that are replaced as an operator does it: written beside, then renamed. */
const makeSecrets = () => {
  const folder = mkdtempSync(join(tmpdir(), "job-collector-secrets-"))
  const put = (name: string, content: string): string => {
    const path = join(folder, name)
    writeFileSync(`${path}.new`, content, { mode: 0o600 })
    renameSync(`${path}.new`, path)
    return path
  }
  return { put, remove: () => rmSync(folder, { recursive: true }) }
}

describe("rotated under load", () => {
  it("the signing key and the Redis password lose no event, and have no request refused and none charged twice", async () => {
    const secrets = makeSecrets()
    const redis = await RedisServer.start()
    const scene = await Scene.withRedis(redis, {
      ED25519_PRIVATE_KEY: "",
      ED25519_PRIVATE_KEY_FILE: secrets.put("key", testKey.private),
      REDIS_PASSWORD_FILE: secrets.put("password", "old one"),
      HEALTH_INTERVAL: "1 second"
    })
    const { api } = scene
    /** Requests by the id of the key that signed them. */
    const signed = new Map<unknown, number>()
    const signedBy = (publicKey: Uint8Array) => signed.get(idOf(publicKey)) ?? 0
    api.answer = ({ headers }) => void signed.set(headers["x-key-id"], (signed.get(headers["x-key-id"]) ?? 0) + 1)
    let rotated = false
    const produce = async () => {
      while (!rotated) await scene.produce(10, 100)
    }
    try {
      await scene.call("CONFIG", "SET", "requirepass", "old one")
      const collector = scene.start()
      const look = () => collector.child.kill("SIGHUP")
      await collector.collecting()
      const producing = produce()
      await waitUntil("requests are signed by the first key", () => signedBy(testKey.public) >= 20)

      secrets.put("key", "no key")
      look()
      await collector.logs("secret.refused")
      const before = signedBy(testKey.public)
      await waitUntil("the first key goes on signing", () => signedBy(testKey.public) >= before + 20)

      api.trust(testKey.public, second.public)
      secrets.put("key", second.private)
      secrets.put("password", "new one")
      await scene.call("CONFIG", "SET", "requirepass", "new one")
      look()
      await collector.logs("secret.reloaded", 2)
      // Who is cut off must log in again.
      await scene.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
      await waitUntil("requests are signed by the second key", () => signedBy(second.public) >= 50)
      api.trust(second.public)
      const last = signedBy(second.public)
      await waitUntil("the second key is the only one trusted", () => signedBy(second.public) >= last + 20)
      await waitUntil("the metrics name the second key", async () => {
        const builds = ((await collector.text("/metrics")) ?? "").match(/^job_collector_build_info\{.*$/gm) ?? []
        return builds.length === 1 && builds[0]?.includes(`key_id="${idOf(second.public)}"`) === true
      })
      rotated = true
      await producing

      await scene.keepsPromises()
      assert.strictEqual(api.unverifiedCount, 0)
      assert.strictEqual(signed.size, 2, [...signed.keys()].join())
      assert.strictEqual(collector.logged("secret.refused").length, 1)
      await waitUntil(
        "health is ok",
        async () => ((await collector.json("/health")) as { status?: string })?.status === "ok"
      )
      assert.strictEqual(await collector.end("SIGTERM"), 0)
    } finally {
      rotated = true
      await scene.close()
      secrets.remove()
    }
  })
})
