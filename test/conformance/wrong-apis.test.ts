import { assert, describe, it } from "@effect/vitest"
import { afterAll, beforeAll } from "vitest"
import { startEmbedded } from "../../sandbox/database/embedded.ts"
import { freePort } from "../support/redis-server.ts"
import { brokenIn, findingsOf, startTestedApi, type TestedApi } from "./api.ts"
import { startWrongApi, type Wrong } from "./wrong-api.ts"
import { conflicting, guarding, wrongApis } from "./wrong-apis.ts"

let api: TestedApi
beforeAll(async () => {
  api = await startTestedApi({ ...(await startEmbedded(await freePort())), connections: 1 })
})
afterAll(() => api?.stop())

const brokenBy = async (wrong: Wrong): Promise<ReadonlyArray<string>> => {
  const proxy = await startWrongApi(api.url, api.privateKey, wrong)
  const pauseMs = wrong.patienceMs === undefined ? 2 : wrong.patienceMs / 4
  const findings = await findingsOf(proxy.url, api.privateKey, { pauseMs })
  await proxy.stop()
  return brokenIn(findings)
}

const rulesOf = (lines: ReadonlyArray<string>) => lines.map((line) => line.replace(/:.*/s, ""))

describe("verify-api is green on an API that", () => {
  it("is the good one behind a proxy", async () => assert.deepStrictEqual(await brokenBy({}), []))
  it("answers 409 with the job to an event that it knows", async () =>
    assert.deepStrictEqual(await brokenBy(conflicting), []))
  it("refuses copies by a replay guard", async () => assert.deepStrictEqual(await brokenBy(guarding()), []))
})

describe("verify-api is red on an API that", () => {
  for (const { make, name, rules } of wrongApis) {
    it(`${name}: ${rules.join(", ")}`, async () => {
      const lines = await brokenBy(make())
      assert.sameMembers([...rulesOf(lines)], [...rules], lines.join("\n"))
    })
  }

  it("is wrong in any way that there is a rule for", async () => {
    const findings = await findingsOf(api.url, api.privateKey)
    const caught = new Set(wrongApis.flatMap(({ rules }) => rules))
    assert.deepStrictEqual(
      findings.map(({ rule }) => rule).filter((rule) => !caught.has(rule)),
      []
    )
  })
})
