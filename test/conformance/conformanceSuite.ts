import { assert, describe, it } from "@effect/vitest"
import { afterAll, beforeAll } from "vitest"
import type { RunningDatabase } from "../sandbox/databaseSuite.ts"
import { commandLine } from "../support/command-line.ts"
import { brokenIn, findingsOf, startTestedApi, type TestedApi } from "./api.ts"

/** The sandbox's API keeps every rule, on any PostgreSQL. */
export const conformanceSuite = (name: string, start: () => Promise<RunningDatabase>) =>
  describe(name, () => {
    let api: TestedApi
    beforeAll(async () => {
      api = await startTestedApi(await start())
    })
    afterAll(() => api?.stop())

    it("keeps every rule of verify-api, again and again", async () => {
      for (const _ of [1, 2]) {
        const findings = await findingsOf(api.url, api.privateKey)
        assert.deepStrictEqual(brokenIn(findings), [])
        assert.isAbove(findings.length, 28)
      }
    })

    it("passes the command, which says what it made", async () => {
      const environment = { ED25519_PRIVATE_KEY: api.privateKey }
      const ran = await commandLine(environment, "verify-api", api.url)
      assert.isTrue(ran.ok, ran.err.join("\n"))
      assert.isTrue(ran.out.every((line) => line.startsWith("✓ ")))
      assert.match(
        ran.err.join("\n"),
        /^Jobs are made for the user conformance; .* begin with verify-api-\d{14}-[0-9a-f]{6}-\n\d+ jobs made, 480,\d+ credits/
      )

      const json = await commandLine(environment, "verify-api", `${api.url}/`, "--json")
      const report = JSON.parse(json.out.join("\n"))
      assert.deepInclude(report, { ok: true, url: api.url })
      assert.strictEqual(report.rules.length, ran.out.length)
      assert.strictEqual(report.created.user_id, "conformance")
      assert.isAbove(report.created.jobs, 15)
    })

    it("is red for a key that the API does not know, at the first line, and for an API that is not there", async () => {
      const environment = { ED25519_PRIVATE_KEY: "11".repeat(32) }
      const unknown = await commandLine(environment, "verify-api", api.url)
      assert.deepStrictEqual(unknown.out, [
        "✗ a good request is accepted: it answered 401 (WRONG_SIGNATURE: no key that is trusted for this service made this signature)"
      ])
      assert.strictEqual(unknown.err.at(-1), "1 rule broken")
      const away = await commandLine(environment, "verify-api", "http://127.0.0.1:1")
      assert.match(away.out.join("\n"), /^✗ a good request is accepted: .*ECONNREFUSED/)
      const noUrl = await commandLine(environment, "verify-api", "127.0.0.1:1")
      assert.match(noUrl.err.join("\n"), /http:\/\/ or https:\/\/ URL/)
    })
  })
