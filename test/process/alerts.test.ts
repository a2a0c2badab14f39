/** The alerts' webhook, of the service as a process: what it posts, a verifier accepts. */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Redis as IoRedis } from "ioredis"
import { afterEach, describe, expect, it } from "vitest"
import { makeVerifier } from "../../src/verifier/index.ts"
import { CollectorProcess, testKey } from "../support/collector-process.ts"
import { transcribeFields } from "../support/events.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { transcribe } from "../support/streams.ts"

interface Post {
  readonly url: string | undefined
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Buffer
}

describe("the alerts' webhook", () => {
  const closing: Array<() => unknown> = []
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close()
  })

  it("gets what a verifier accepts, whole, and without the API's own headers", async () => {
    const redis = await RedisServer.start()
    closing.push(() => redis.stop())
    const client = new IoRedis(redis.url)
    closing.push(() => client.disconnect())
    const api = await ReceivingApi.start(testKey.public)
    closing.push(() => api.close())
    const posts: Array<Post> = []
    const hook = createServer((request, response) => {
      const pieces: Array<Buffer> = []
      request.on("data", (piece: Buffer) => pieces.push(piece))
      request.on("end", () => {
        posts.push({ url: request.url, headers: request.headers, body: Buffer.concat(pieces) })
        response.writeHead(204).end()
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve))
    closing.push(() => {
      hook.closeAllConnections()
      hook.close()
    })
    const { port } = hook.address() as AddressInfo
    const folder = await mkdtemp(join(tmpdir(), "alerts-"))
    closing.push(() => rm(folder, { recursive: true }))
    const headers = join(folder, "headers")
    await writeFile(headers, "X-Api-Password: for the API alone\n", { mode: 0o600 })
    const service = CollectorProcess.start({
      REDIS_URL: redis.url,
      API_BASE_URL: api.url,
      GROUP_START_ID: "0",
      SERVICE_ID: "alerting",
      API_HEADERS_FILE: headers,
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${port}/hooks/a%2Fb?key=k3y+1`
    })
    closing.push(() => service.child.kill("SIGKILL"))
    await service.collecting()
    await client.xadd(transcribe, "*", ...transcribeFields("e-1", Date.now()), "audio_seconds", "x")
    await waitUntil("it is told", () => posts.length > 0)
    const [post] = posts
    expect(post?.url).toBe("/hooks/a%2Fb?key=k3y+1")
    expect(post?.headers).not.toHaveProperty("x-api-password")
    const verify = makeVerifier({ services: { alerting: [testKey.public] } })
    const verdict = (body: Uint8Array) => verify({ method: "POST", headers: post?.headers ?? {}, body })
    const body = post?.body ?? Buffer.alloc(0)
    expect(await verdict(body)).toMatchObject({ ok: true })
    expect(await verdict(Buffer.concat([body, Buffer.from(" ")]))).toMatchObject({ ok: false })
    expect(JSON.parse(String(post?.body))).toMatchObject({
      kind: "abandoned",
      service: "alerting",
      details: { reason: "invalid", count: 1 }
    })
    expect(service.lines.join("\n")).not.toContain("k3y")
  })
})
