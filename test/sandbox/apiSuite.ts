import { createHash, randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Agent, request } from "undici"
import { afterAll, beforeAll } from "vitest"
import { type ApiProcess, startApi } from "../../sandbox/api/process.ts"
import * as Database from "../../sandbox/database/Database.ts"
import { seed } from "../../sandbox/database/seed.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"
import { type Departures, signedHeaders, type TestKey, testKey } from "../support/signed-client.ts"
import type { RunningDatabase } from "./databaseSuite.ts"

const operatorToken = "operator-of-the-test"

const event = (event_id: string, more: object = {}) => ({
  event_id,
  event_type: "transcribe",
  source: { stream: "modelsgateway:events:transcribe", id: "1-1" },
  user_id: "rich",
  device_id: "device-1",
  session_id: "session-1",
  started_at: "2026-01-01T00:00:00.000Z",
  completed_at: "2026-01-01T00:01:00.000Z",
  audio_seconds: 18,
  attributes: {},
  ...more
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

/** A listener on the API's WebSocket that keeps every job id it was told. */
class Listener {
  readonly heard: Array<number> = []
  private readonly socket: WebSocket
  private constructor(url: string) {
    this.socket = new WebSocket(url)
    this.socket.addEventListener("message", (message) => {
      const { type, job_id } = JSON.parse(String(message.data))
      assert.strictEqual(type, "job_created")
      this.heard.push(job_id)
    })
  }
  static async open(api: string, query: string): Promise<Listener> {
    const listener = new Listener(`${api.replace("http", "ws")}/ws?${query}`)
    await new Promise((resolve, reject) => {
      listener.socket.addEventListener("open", resolve, { once: true })
      listener.socket.addEventListener("error", reject, { once: true })
    })
    return listener
  }
  close(): void {
    this.socket.close()
  }
}

/** A database that may outlive a restart: `restart` ends it and gives what starts it again. */
type RestartableDatabase = RunningDatabase & { readonly restart?: () => Promise<() => Promise<void>> }

/** What the API promises from outside, as a process, on any PostgreSQL. */
export const apiSuite = (name: string, start: () => Promise<RestartableDatabase>) =>
  describe(name, () => {
    let database: RestartableDatabase
    let api: ApiProcess
    let key: TestKey
    let restart: () => Promise<ApiProcess>

    beforeAll(async () => {
      database = await start()
      key = testKey()
      const users = [
        { id: "rich", credits: 100_000_000 },
        { id: "poor", credits: 50 },
        { id: "listened", credits: 100_000_000 }
      ]
      const options = { url: Redacted.make(database.url), connections: 1 }
      await Effect.runPromise(Effect.provide(seed(users), Database.layer(options)))
      const port = await freePort()
      restart = () =>
        startApi({
          port,
          databaseUrl: database.url,
          databaseConnections: database.connections,
          serviceKeys: { "job-collector": key.publicKey },
          operatorToken
        })
      api = await restart()
    }, 60_000)
    afterAll(async () => {
      await api?.child.stop()
      await database?.stop()
    })

    const answer = async (response: Response): Promise<Answer> => {
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) }
    }
    const post = async (body: object | string, departures: Departures = {}) => {
      const json = typeof body === "string" ? body : JSON.stringify(body)
      const id = typeof body === "object" && "event_id" in body ? String(body.event_id) : "none"
      const headers = { "content-type": "application/json", "idempotency-key": id }
      return answer(
        await fetch(`${api.url}/api/jobs/add`, {
          method: "POST",
          headers: { ...headers, ...signedHeaders(key, json, departures) },
          body: departures.sentBody ?? json
        })
      )
    }
    const configurations = async (headers: Record<string, string> = {}) =>
      fetch(`${api.url}/api/models/configurations`, { headers: { ...signedHeaders(key, ""), ...headers } })
    const operator = async (method: string, path: string, body?: object) =>
      answer(
        await fetch(`${api.url}/api/operator${path}`, {
          method,
          headers: { authorization: `Bearer ${operatorToken}`, "content-type": "application/json" },
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
      )
    const ledger = async () => (await operator("GET", "/ledger")).body

    it("charges an event once and answers it the same ever after", async () => {
      const before = await ledger()
      const id = randomUUID()
      const first = await post(event(id))
      assert.strictEqual(first.status, 200)
      assert.deepStrictEqual(first.body, { job_id: first.body.job_id, credits_deducted: 100 })
      assert.isTrue(Number.isInteger(first.body.job_id))
      assert.isNull(first.headers.get("idempotency-replayed"))

      // A retry signs anew, from another stream entry after a redrive.
      const second = await post(event(id, { source: { stream: "modelsgateway:events:transcribe", id: "2-1" } }), {
        skew: 5
      })
      assert.deepStrictEqual([second.status, second.body], [200, first.body])
      assert.strictEqual(second.headers.get("idempotency-replayed"), "true")

      const after = await ledger()
      assert.strictEqual(after.jobs, Number(before.jobs) + 1)
      assert.strictEqual(after.credits_charged, Number(before.credits_charged) + 100)
    })

    it("charges process events by the model's token costs, half a credit counting as one", async () => {
      const process = event(randomUUID(), {
        event_type: "process",
        audio_seconds: undefined,
        model: "gpt-4o",
        result: "hello",
        prompt_tokens: 1_000,
        completion_tokens: 300,
        total_tokens: 1_300
      })
      assert.deepInclude((await post(process)).body, { credits_deducted: 6 })
    })

    it("answers a copied request from its record and charges nothing", async () => {
      const id = randomUUID()
      const json = JSON.stringify(event(id))
      const request = {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": id, ...signedHeaders(key, json) },
        body: json
      }
      const first = await answer(await fetch(`${api.url}/api/jobs/add`, request))
      const before = await ledger()
      const copy = await answer(await fetch(`${api.url}/api/jobs/add`, request))
      assert.deepStrictEqual([copy.status, copy.body], [first.status, first.body])
      assert.deepStrictEqual(await ledger(), before)

      // The key is the one header that is not signed: changing it must not buy a second charge.
      const other = { ...request, headers: { ...request.headers, "idempotency-key": randomUUID() } }
      const refused = await answer(await fetch(`${api.url}/api/jobs/add`, other))
      assert.deepStrictEqual([refused.status, refused.body.error_code], [422, "IDEMPOTENCY_KEY_MISMATCH"])
      assert.deepStrictEqual(await ledger(), before)
    })

    it("refuses what no known service signed just now", async () => {
      const before = await ledger()
      const stranger = signedHeaders(testKey(), JSON.stringify(event("x")))
      const refusals = [
        await post(event("x"), { skew: -300 }),
        // Well ahead: the time goes on while the request is on its way.
        await post(event("x"), { skew: 360 }),
        await post(event("x"), { serviceId: "someone-else" }),
        await post("{", { serviceId: "someone-else" }),
        await post(event("x"), { sentBody: JSON.stringify(event("x", { audio_seconds: 1 })) }),
        await post(event("x"), { headers: stranger }),
        await post(event("x"), { headers: { authorization: "Bearer abc" } })
      ]
      assert.deepStrictEqual(
        refusals.map(({ status, body }) => [status, body.error_code]),
        [
          [401, "STALE_TIMESTAMP"],
          [401, "STALE_TIMESTAMP"],
          [401, "UNKNOWN_SERVICE"],
          [401, "UNKNOWN_SERVICE"],
          [401, "WRONG_SIGNATURE"],
          [401, "WRONG_SIGNATURE"],
          [401, "MALFORMED_HEADER"]
        ]
      )
      assert.deepStrictEqual(await ledger(), before)
      const unsigned = await answer(await fetch(`${api.url}/api/models/configurations`))
      assert.deepStrictEqual([unsigned.status, unsigned.body.error_code], [401, "MISSING_HEADER"])
      assert.strictEqual((await fetch(`${api.url}/api/operator/ledger`)).status, 401)
    })

    it("refuses what it cannot take, with a code and a message", async () => {
      const cases: ReadonlyArray<readonly [object | string, number, string]> = [
        ["{", 400, "INVALID_REQUEST"],
        [event("bad id"), 400, "INVALID_REQUEST"],
        [event("a", { audio_seconds: -1 }), 400, "INVALID_REQUEST"],
        [event("a", { started_at: "2026-01-01T00:02:00Z" }), 400, "INVALID_REQUEST"],
        [event(randomUUID(), { user_id: "nobody" }), 422, "UNKNOWN_USER"],
        [event(randomUUID(), { device_id: "a\u0000b" }), 422, "UNSTORABLE"],
        [event(randomUUID(), { user_id: "poor" }), 402, "INSUFFICIENT_BALANCE"]
      ]
      const unnamed = JSON.stringify(event("a"))
      const headers = { "content-type": "application/json", ...signedHeaders(key, unnamed) }
      const keyless = await answer(await fetch(`${api.url}/api/jobs/add`, { method: "POST", headers, body: unnamed }))
      assert.deepStrictEqual([keyless.status, keyless.body.error_code], [400, "INVALID_REQUEST"])
      const huge = await post(event("a", { attributes: { text: "x".repeat(5_000_000) } }))
      assert.deepStrictEqual([huge.status, huge.body.error_code], [413, "BODY_TOO_LARGE"])
      for (const [body, status, code] of cases) {
        const refused = await post(body)
        assert.deepStrictEqual([refused.status, refused.body.error_code], [status, code])
        assert.isAbove(String(refused.body.error_message).length, 0)
      }
    })

    it("takes a job after a top-up that it refused before", async () => {
      const job = event(randomUUID(), { user_id: "poor" })
      assert.strictEqual((await post(job)).status, 402)
      assert.deepStrictEqual((await operator("POST", "/users/poor/credits", { credits: 60 })).body, { balance: 110 })
      assert.strictEqual((await post(job)).status, 200)
    })

    it("adds each of 60 events once, sent four times at once among requests that fail", async () => {
      const before = await ledger()
      const ids = Array.from({ length: 60 }, () => randomUUID())
      const answers = await Promise.all(
        [0, 1, 2, 3].flatMap((copy) => [
          ...ids.map((id) => post(event(id))),
          post(event(randomUUID(), { device_id: "\u0000", user_id: `copy ${copy}` }))
        ])
      )
      assert.strictEqual(answers.filter(({ status }) => status === 200).length, 240)
      assert.strictEqual(new Set(answers.map(({ body }) => body.job_id).filter((id) => id !== undefined)).size, 60)
      const after = await ledger()
      assert.strictEqual(after.jobs, Number(before.jobs) + 60)
      assert.strictEqual(after.credits_charged, Number(before.credits_charged) + 6_000)
      assert.strictEqual(after.credits_of_jobs, after.credits_charged)
    })

    it("serves the configuration with ETag and digest, and a new version when a price changes", async () => {
      const first = await configurations()
      const text = await first.text()
      const bundle = JSON.parse(text)
      const etag = first.headers.get("etag") ?? ""
      const digest = createHash("sha256").update(text).digest("base64")
      assert.strictEqual(first.headers.get("content-digest"), `sha-256=:${digest}:`)
      assert.deepStrictEqual(bundle.model_configs[0], {
        id: "gpt-4o",
        provider: "openai",
        enabled: true,
        rules: { max_output_tokens: 4096, temperature: 0.2 },
        costs: { input: 2.5, output: 10 }
      })
      assert.deepStrictEqual(bundle.openai_keys, [{ id: "primary", key: "sk-sandbox-not-a-real-key" }])
      assert.strictEqual(bundle.rate_limits.length, 3)
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        const unchanged = await configurations({ "if-none-match": known })
        assert.deepStrictEqual([unchanged.status, await unchanged.text()], [304, ""])
        assert.strictEqual(unchanged.headers.get("etag"), etag)
      }

      const changed = await operator("PUT", "/models/gpt-4o/costs", { input: 3, output: 12.25 })
      assert.deepStrictEqual(changed.body, { version: bundle.version + 1 })
      const second = await configurations({ "if-none-match": etag })
      assert.strictEqual(second.status, 200)
      assert.notStrictEqual(second.headers.get("etag"), etag)
      const next = JSON.parse(await second.text())
      assert.strictEqual(next.version, bundle.version + 1)
      assert.deepStrictEqual(next.model_configs[0].costs, { input: 3, output: 12.25 })
      assert.strictEqual((await operator("PUT", "/models/none/costs", { input: 3, output: 12 })).status, 422)
    })

    it("tells every listener of each job once, also across its own death", async () => {
      const listeners = [
        await Listener.open(api.url, "user_id=listened"),
        await Listener.open(api.url, "user_id=listened&after=0"),
        await Listener.open(api.url, "user_id=rich")
      ]
      const send = async (id: string) => post(event(id, { user_id: "listened" })).catch(() => undefined)
      const ids = Array.from({ length: 150 }, () => randomUUID())
      await Promise.all(ids.slice(0, 50).map(send))
      await waitUntil("50 jobs are heard of", () =>
        listeners.slice(0, 2).every((listener) => listener.heard.length >= 50)
      )
      const seen = Math.max(...listeners[0]!.heard)

      // Killed with requests under way: some of them committed, some not, all of them unanswered or answered.
      const underWay = ids.slice(50).map(send)
      setTimeout(() => api.child.signal("SIGKILL"), 30)
      await api.child.ended
      await Promise.all(underWay)
      api = await restart()
      const again = await Promise.all(ids.map(send))
      assert.isTrue(again.every((one) => one?.status === 200))

      const late = await Listener.open(api.url, `user_id=listened&after=${seen}`)
      const jobIds = again.map((one) => Number(one?.body.job_id)).sort((a, b) => a - b)
      assert.strictEqual(new Set(jobIds).size, 150)
      await waitUntil("the rest is heard of", () => late.heard.length >= 100)
      assert.deepStrictEqual(late.heard, jobIds.slice(50))
      assert.deepStrictEqual(listeners[1]!.heard.slice(0, 50), jobIds.slice(0, 50))
      assert.deepStrictEqual(listeners[2]!.heard, [])
      for (const listener of [...listeners, late]) listener.close()
      const total = await ledger()
      assert.strictEqual(total.credits_of_jobs, total.credits_charged)
      assert.strictEqual(total.jobs, total.idempotency_records)
    })

    /** The CPU that the API's process has used, in ms (Linux counts hundredths of a second). */
    const cpuMs = (): number => {
      const [, rest = ""] = readFileSync(`/proc/${api.child.pid}/stat`, "utf8").split(") ")
      const fields = rest.split(" ")
      return (Number(fields[11]) + Number(fields[12])) * 10
    }

    it("is no bottleneck: an event costs it a small part of what a demo leaves it", async () => {
      const agent = new Agent({ connections: 64 })
      const requests = Array.from({ length: 1_500 }, () => {
        const id = randomUUID()
        const body = JSON.stringify(event(id))
        const headers = { "content-type": "application/json", "idempotency-key": id, ...signedHeaders(key, body) }
        return { method: "POST" as const, headers, body, dispatcher: agent }
      })
      const before = cpuMs()
      const worker = async () => {
        for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
          const { statusCode, body } = await request(`${api.url}/api/jobs/add`, next)
          await body.dump()
          assert.strictEqual(statusCode, 200)
        }
      }
      await Promise.all(Array.from({ length: 64 }, worker))
      const each = (cpuMs() - before) / 1_500
      await agent.close()
      // The demo sends 50 a second: one every 20 ms. Not the rate, which is that of whatever else the machine does.
      assert.isBelow(each, 5)
    })

    it("describes itself", async () => {
      const openapi = await fetch(`${api.url}/openapi.json`)
      assert.strictEqual(openapi.headers.get("content-type"), "application/json")
      const contract = readFileSync(new URL("../../schemas/openapi.json", import.meta.url), "utf8")
      assert.strictEqual(await openapi.text(), contract)
      assert.include(await (await fetch(`${api.url}/docs`)).text(), "Reference jobs API")
      assert.strictEqual((await fetch(`${api.url}/ws`)).status, 400)
    })

    it("says 503 while the database is away, goes on when it is back, and ends cleanly when told", async () => {
      const startAgain = await (database.restart ?? database.stop)()
      await waitUntil("the API notices", async () => (await fetch(`${api.url}/api/health`)).status === 503)
      const job = event(randomUUID())
      const refused = await post(job)
      assert.deepStrictEqual([refused.status, refused.body.error_code], [503, "DATABASE_UNAVAILABLE"])
      if (startAgain !== undefined) {
        await startAgain()
        await waitUntil("the API is healthy again", async () => (await fetch(`${api.url}/api/health`)).ok)
        assert.strictEqual((await post(job)).status, 200)
      }
      assert.deepStrictEqual(await api.child.stop(), { code: 0, signal: null })
    })
  })
