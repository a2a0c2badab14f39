import { once } from "node:events"
import { type AddressInfo, connect, type Socket } from "node:net"
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { createPatientServer } from "../../src/layers/http/PatientServer.ts"
import { waitUntil } from "../support/redis-server.ts"

describe("a server that listens before it is served", () => {
  let server: ReturnType<typeof createPatientServer>
  let url: string
  beforeEach(async () => {
    server = createPatientServer()
    await once(server.listen(0, "127.0.0.1"), "listening")
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  it("answers early requests as soon as there is a handler, and later ones once", async () => {
    const seen: Array<string | undefined> = []
    const sockets: Array<Socket> = []
    server.on("connection", (socket) => sockets.push(socket))
    const early = Promise.all(["a", "b"].map(async (path) => (await fetch(url + path)).text()))
    await waitUntil("both were read", () => sockets.filter((socket) => socket.bytesRead > 0).length === 2)
    server.on("request", (request, response) => {
      seen.push(request.url)
      response.end(`hello ${request.url}`)
    })
    assert.sameMembers(await early, ["hello /a", "hello /b"])
    assert.strictEqual(await (await fetch(`${url}c`)).text(), "hello /c")
    assert.strictEqual(seen.length, 3)
    assert.strictEqual(server.listenerCount("request"), 1)
  })

  /** Connections that send these bytes and nothing more, and how many of them are open. */
  const silent = async (count: number, bytes: string) => {
    const { port } = server.address() as AddressInfo
    const sockets = Array.from({ length: count }, () =>
      connect(port, "127.0.0.1")
        .on("error", () => {})
        .resume()
    )
    await Promise.all(sockets.map((socket) => once(socket, "connect")))
    for (const socket of sockets) if (bytes !== "") socket.write(bytes)
    return () => sockets.filter((socket) => !socket.closed).length
  }

  it("answers although hundreds of connections say nothing, and keeps few of them, none for long", async () => {
    server.on("request", (_, response) => response.end("well"))
    const open = await silent(600, "")
    assert.strictEqual(await (await fetch(url)).text(), "well")
    await waitUntil("most are closed", () => open() <= 128)
    await waitUntil("all are closed", () => open() === 0, 30_000)
  })

  it("closes within seconds whatever its connections do", async () => {
    server.on("request", () => {})
    const open = await silent(3, "GET /health HTTP/1.1\r\nHost:")
    await silent(1, "")
    await silent(1, "GET /never-answered HTTP/1.1\r\nHost: here\r\n\r\n")
    const closed = once(server, "close")
    const started = performance.now()
    server.close()
    await closed
    assert.isBelow(performance.now() - started, 4_000)
    await waitUntil("they are cut", () => open() === 0)
  })
})
