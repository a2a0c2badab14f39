import { once } from "node:events"
import type { AddressInfo, Socket } from "node:net"
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
})
