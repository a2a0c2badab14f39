import { createPrivateKey, createPublicKey } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "vitest"
import { commandLine } from "../support/command-line.ts"

const folders: Array<string> = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

describe("keygen --out", () => {
  it.each(["hex", "base64", "pem"])(
    "writes %s files that only the owner may read, and says id and JWK",
    async (format) => {
      const parent = mkdtempSync(join(tmpdir(), "keygen-"))
      folders.push(parent)
      const folder = join(parent, "keys")
      const { ok, out } = await commandLine({}, "keygen", "--out", folder, "--format", format)
      assert.isTrue(ok)
      const said = out.join("\n")
      const keyId = /^Key id: ([0-9a-f]{16})$/m.exec(said)?.[1]
      const names = [`ed25519-${keyId}.private`, `ed25519-${keyId}.public`]
      assert.sameMembers(readdirSync(folder), names)
      for (const name of names) assert.strictEqual(statSync(join(folder, name)).mode & 0o777, 0o600)
      const [privateText = "", publicText = ""] = names.map((name) => readFileSync(join(folder, name), "utf8"))
      assert.notInclude(said, privateText.trim())
      const jwk = JSON.parse(/^JWK: (.*)$/m.exec(said)?.[1] ?? "")
      assert.strictEqual(jwk.kid, keyId)
      const fromJwk = createPublicKey({ key: jwk, format: "jwk" })
      if (format === "pem") {
        assert.isTrue(createPublicKey(publicText).equals(fromJwk))
        assert.isTrue(createPublicKey(createPrivateKey(privateText)).equals(fromJwk))
      } else {
        assert.strictEqual(Buffer.from(publicText, format as "hex" | "base64").toString("base64url"), jwk.x)
        assert.lengthOf(Buffer.from(privateText, format as "hex" | "base64"), 32)
      }
    }
  )

  it("fails where the folder cannot be made", async () => {
    const { err, ok } = await commandLine({}, "keygen", "--out", "/dev/null/keys")
    assert.isFalse(ok)
    assert.isNotEmpty(err)
  })
})
