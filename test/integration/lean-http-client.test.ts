import { readFileSync } from "node:fs"
import type { ServerResponse } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { type AddressInfo, createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Effect, Fiber, Option, Stream, Tracer } from "effect"
import {
  HttpBody,
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  HttpClientResponse,
  HttpIncomingMessage
} from "effect/http"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import { json, serve } from "../support/http-server.ts"
import { freePort, waitUntil } from "../support/redis-server.ts"
import { TlsAuthority } from "../support/tls-authority.ts"

const until = (what: string, condition: () => boolean) => Effect.promise(() => waitUntil(what, condition))

/** The error of a request, as its reason. */
const reasonOf = <A>(effect: Effect.Effect<A, HttpClientError.HttpClientError, HttpClient.HttpClient>) =>
  Effect.map(Effect.flip(effect), (error) => error.reason)

/** A server that speaks for itself. */
const rawServer = (onConnection: (socket: Socket) => void) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket.setNoDelay(true).on("error", () => {}))
        onConnection(socket)
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      return { server, sockets }
    }),
    ({ server, sockets }) =>
      Effect.promise(async () => {
        for (const socket of sockets) socket.destroy()
        await new Promise((resolve) => server.close(resolve))
      })
  ).pipe(Effect.map(({ server }) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

const code = (cause: unknown) => (cause as { readonly code?: string }).code

describe("LeanHttpClient", () => {
  it.live("gives a whole response: status, url, headers, cookies and every reading of the body", () =>
    Effect.gen(function* () {
      const { url, received } = yield* serve((_, response) => {
        response.setHeader("set-cookie", ["a=1", "b=2"])
        json(response, 201, { say: "żółć" }, { "x-one": "1" })
      })
      const response = yield* HttpClientRequest.post(`${url}/path`, { urlParams: { q: "a b" }, hash: "frag" }).pipe(
        HttpClientRequest.setHeader("x-mine", "yes"),
        HttpClientRequest.bodyText("body", "text/plain"),
        HttpClient.execute
      )
      const text = JSON.stringify({ say: "żółć" })
      assert.strictEqual(response.status, 201)
      assert.strictEqual(response.url, `${url}/path?q=a+b`)
      assert.strictEqual(response.headers["x-one"], "1")
      assert.strictEqual(response.cookies.cookies.b?.value, "2")
      assert.strictEqual(yield* response.text, text)
      assert.deepStrictEqual(yield* response.json, { say: "żółć" })
      assert.strictEqual(Buffer.from(yield* response.arrayBuffer).toString(), text)
      const chunks = yield* Stream.runCollect(response.stream)
      assert.strictEqual(Buffer.concat(chunks).toString(), text)
      assert.strictEqual((yield* HttpClientResponse.filterStatusOk(response)).status, 201)
      const [seen] = received
      assert(seen !== undefined)
      assert.strictEqual(seen.request.url, "/path?q=a+b")
      assert.strictEqual(seen.request.headers["x-mine"], "yes")
      assert.strictEqual(seen.request.headers["content-type"], "text/plain")
      assert.strictEqual(seen.body.toString(), "body")
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("sends every kind of body and reads forms", () =>
    Effect.gen(function* () {
      const { url } = yield* serve(({ request, body }, response) => {
        response.writeHead(200, { "content-type": request.headers["content-type"] ?? "none" })
        response.end(body)
      })
      const echo = (body: HttpBody.HttpBody) => HttpClient.post(url, { body })
      const form = new FormData()
      form.set("name", "value")
      assert.strictEqual((yield* (yield* echo(HttpBody.formData(form))).formData).get("name"), "value")
      const streamed = yield* echo(HttpBody.stream(Stream.make(Buffer.from("one"), Buffer.from("two"))))
      assert.strictEqual(yield* streamed.text, "onetwo")
      const params = yield* (yield* echo(HttpBody.text("a=1&b=2", "application/x-www-form-urlencoded"))).urlParamsBody
      assert.deepStrictEqual(params.params, [
        ["a", "1"],
        ["b", "2"]
      ])
      const empty = yield* HttpClient.get(url)
      assert.strictEqual(yield* empty.text, "")
      assert.deepStrictEqual(yield* Stream.runCollect(empty.stream), [])
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("puts a chunked body together and keeps the connection for the next request", () =>
    Effect.gen(function* () {
      const { url, state } = yield* serve((_, response) => {
        response.write("first ")
        setImmediate(() => response.end("second"))
      })
      for (let i = 0; i < 20; i++) {
        assert.strictEqual(yield* (yield* HttpClient.get(url)).text, "first second")
      }
      // A request made the very moment another ends may find that one's connection not yet free.
      assert.isAtMost(state.sockets, 2)
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("does not follow a redirect", () =>
    Effect.gen(function* () {
      const { url, received } = yield* serve((_, response) => response.writeHead(307, { location: "/else" }).end())
      assert.strictEqual((yield* HttpClient.get(url)).status, 307)
      assert.strictEqual(received.length, 1)
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("refuses a body over its limit, announced or not, and closes the connection", () =>
    Effect.gen(function* () {
      const { url, state } = yield* serve(({ request }, response) => {
        if (request.url === "/announced") return response.end("x".repeat(1_001))
        response.write("x".repeat(600))
        return setImmediate(() => response.end("x".repeat(401)))
      })
      for (const path of ["/announced", "/chunked"]) {
        const reason = yield* reasonOf(HttpClient.get(`${url}${path}`))
        assert(reason._tag === "DecodeError")
        assert.deepStrictEqual(reason.cause, new LeanHttpClient.BodyTooLarge({ maxBytes: 1_000 }))
        assert.strictEqual(reason.response.status, 200)
      }
      yield* until("both connections are closed", () => state.closed === 2)
      const wider = yield* HttpClient.get(`${url}/chunked`).pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(1_001))
      )
      assert.strictEqual((yield* wider.text).length, 1_001)
    }).pipe(Effect.provide(LeanHttpClient.layer({ maxBodyBytes: 1_000 })))
  )

  it.live("keeps the system's code when no response comes, and names no header", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((_, response) => response.socket?.resetAndDestroy())
      const secret = HttpClientRequest.setHeader("authorization", "Ed25519 1:secret")
      const closed = `http://127.0.0.1:${yield* Effect.promise(freePort)}`
      const refused = yield* Effect.flip(HttpClient.execute(secret(HttpClientRequest.get(closed))))
      assert.strictEqual(refused.reason._tag, "TransportError")
      assert.strictEqual(code(refused.cause), "ECONNREFUSED")
      const reset = yield* Effect.flip(HttpClient.execute(secret(HttpClientRequest.get(url))))
      assert.strictEqual(code(reset.cause), "ECONNRESET")
      for (const error of [refused, reset]) {
        assert.notInclude(`${error.message}${JSON.stringify(error)}${String(error)}`, "secret")
      }
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("fails with the response's head when its body breaks off", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((_, response) => {
        response.writeHead(500, { "content-length": "100" })
        response.write("half")
        setImmediate(() => response.socket?.destroy())
      })
      const reason = yield* reasonOf(HttpClient.get(url))
      assert(reason._tag === "DecodeError")
      assert.strictEqual(reason.response.status, 500)
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("fails on a URL that is none and on JSON that is none", () =>
    Effect.gen(function* () {
      const { url } = yield* serve((_, response) => response.end("{"))
      assert.strictEqual((yield* reasonOf(HttpClient.get("http://[half")))._tag, "InvalidUrlError")
      const body = Effect.flatMap(HttpClient.get(url), (response) => response.json)
      assert.strictEqual((yield* reasonOf(body))._tag, "DecodeError")
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("closes the connection of an interrupted request, and only that", () =>
    Effect.gen(function* () {
      const { url, received, state } = yield* serve(({ request }, response) => {
        if (request.url === "/") response.end("ok")
      })
      const hanging = yield* Effect.forkChild(HttpClient.get(`${url}/hang`))
      yield* until("the request arrived", () => received.length === 1)
      yield* Fiber.interrupt(hanging)
      yield* until("its connection is closed", () => state.closed === 1)
      assert.strictEqual(yield* (yield* HttpClient.get(url)).text, "ok")
      assert.strictEqual(state.closed, 1)
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )

  it.live("makes no more connections than allowed; others wait", () =>
    Effect.gen(function* () {
      const { url, state } = yield* serve((_, response) => setImmediate(() => response.end("ok")))
      yield* Effect.all(
        Array.from({ length: 20 }, () => HttpClient.get(url)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(state.sockets, 3)
    }).pipe(Effect.provide(LeanHttpClient.layer({ connections: 3 })))
  )

  it.live("never sends a request that was interrupted while it waited for a connection", () =>
    Effect.gen(function* () {
      const held: Array<ServerResponse> = []
      const { url, received } = yield* serve(({ request }, response) => {
        if (request.url === "/first") held.push(response)
        else response.end("ok")
      })
      const first = yield* Effect.forkChild(HttpClient.get(`${url}/first`))
      yield* until("the only connection is in use", () => held.length === 1)
      const second = yield* Effect.forkChild(HttpClient.get(`${url}/second`), { startImmediately: true })
      yield* Fiber.interrupt(second)
      const third = yield* Effect.forkChild(HttpClient.get(`${url}/third`), { startImmediately: true })
      held[0]?.end("ok")
      yield* Fiber.join(first)
      yield* Fiber.join(third)
      assert.deepStrictEqual(
        received.map(({ request }) => request.url),
        ["/first", "/third"]
      )
    }).pipe(Effect.provide(LeanHttpClient.layer({ connections: 1 })))
  )

  it.live("trusts the authority it is given, and no unknown one", () =>
    Effect.gen(function* () {
      const authority = yield* Effect.acquireRelease(
        Effect.sync(() => new TlsAuthority()),
        (made) => Effect.sync(() => made.remove())
      )
      const server = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const key = readFileSync(authority.keyFile)
          const cert = readFileSync(authority.certificateFile)
          const made = createTlsServer({ key, cert }, (_, response) => response.end("ok"))
          await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve))
          return made
        }),
        (made) => Effect.sync(() => made.close())
      )
      const get = (tlsCa?: string) =>
        HttpClient.get(`https://127.0.0.1:${(server.address() as AddressInfo).port}`).pipe(
          Effect.flatMap((response) => response.text),
          Effect.provide(LeanHttpClient.layer({ tlsCa }), { local: true })
        )
      assert.strictEqual(yield* get(authority.ca), "ok")
      const refused = yield* Effect.flip(get())
      assert.strictEqual(refused.reason._tag, "TransportError")
      assert.match(String(code(refused.cause)), /CERT|VERIFY/)
    })
  )

  it.live("closes its connections with the layer", () =>
    Effect.gen(function* () {
      const { url, state } = yield* serve((_, response) => response.end("ok"))
      yield* HttpClient.get(url).pipe(Effect.provide(LeanHttpClient.layer(), { local: true }))
      yield* until("the kept connection is closed", () => state.closed === state.sockets)
      assert.strictEqual(state.sockets, 1)
    })
  )

  it.live(
    "a kept connection that the server closes just then costs no request: it is sent once more, on a fresh one",
    () =>
      Effect.gen(function* () {
        // Answers the first request of each connection and cuts it at the second.
        const served = new WeakSet<object>()
        const { url, received, state } = yield* serve(({ request }, response) => {
          if (served.has(request.socket)) return request.socket.resetAndDestroy()
          served.add(request.socket)
          return response.end("ok")
        })
        for (let i = 0; i < 10; i++) {
          const response = yield* HttpClientRequest.post(url).pipe(
            HttpClientRequest.setHeader("idempotency-key", `${i}`),
            HttpClientRequest.bodyText("body"),
            HttpClient.execute
          )
          assert.strictEqual(yield* response.text, "ok")
        }
        assert.isAbove(received.length, 10, "connections were reused")
        assert.isTrue(received.every(({ body }) => body.toString() === "body"))
        assert.isAbove(state.sockets, 5)
      }).pipe(Effect.provide(LeanHttpClient.layer({ connections: 1 })))
  )

  it.live("a fresh connection that is cut is a failure, and so is one that is cut again", () =>
    Effect.gen(function* () {
      const { url, received } = yield* serve(({ request }, response) => {
        if (received.length === 1) return response.end("ok")
        return request.socket.resetAndDestroy()
      })
      yield* HttpClient.get(url)
      assert.strictEqual((yield* reasonOf(HttpClient.get(url)))._tag, "TransportError")
      assert.strictEqual(received.length, 3, "sent twice")
      assert.strictEqual((yield* reasonOf(HttpClient.get(url)))._tag, "TransportError")
      assert.strictEqual(received.length, 4, "sent once")
      received.length = 0
      yield* HttpClient.get(url)
      assert.strictEqual((yield* reasonOf(HttpClient.post(url)))._tag, "TransportError")
      assert.strictEqual(received.length, 2, "what must not be repeated is sent once")
    }).pipe(Effect.provide(LeanHttpClient.layer({ connections: 1 })))
  )

  it.live("makes a client span and sends its traceparent only where a tracer is given and not switched off", () =>
    Effect.gen(function* () {
      const { url, received } = yield* serve((_, response) => response.end("ok"))
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* HttpClient.get(url)
      assert.isUndefined(received[0]?.request.headers.traceparent)
      yield* HttpClient.get(`${url}/x?y=1`).pipe(Effect.withTracer(tracer))
      const [span] = spans
      assert(span !== undefined)
      assert.strictEqual(span.kind, "client")
      assert.strictEqual(span.attributes.get("http.response.status_code"), 200)
      assert.strictEqual(span.status._tag, "Ended")
      assert.strictEqual(received[1]?.request.url, "/x?y=1")
      assert.strictEqual(received[1]?.request.headers.traceparent, `00-${span.traceId}-${span.spanId}-01`)
      const off = HttpClient.get(url).pipe(Effect.withTracer(tracer))
      yield* Effect.provideService(off, HttpClient.TracerDisabledWhen, () => true)
      yield* Effect.provideService(off, Tracer.DisablePropagation, true)
      assert.strictEqual(spans.length, 1)
      assert.isUndefined(received[2]?.request.headers.traceparent)
      assert.isUndefined(received[3]?.request.headers.traceparent)
      assert.isTrue(Option.isNone(span.parent))
    }).pipe(Effect.provide(LeanHttpClient.layer()))
  )
})

describe("interim answers", () => {
  const final = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHTTP/1.1 100"
  const whole: ReadonlyArray<readonly [string, string]> = [
    ["100", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["100 with fields", "HTTP/1.1 100 Continue\r\nDate: now\r\nX: \r\n\r\n"],
    [
      "100 twice, 102 and 103",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 100 C\r\n\r\n"
    ]
  ]
  for (const [name, interim] of whole) {
    for (const size of [1, 7, 4_096]) {
      it.live(`${name} that nobody asked for, ${size} bytes at a time, is skipped, on a used connection too`, () =>
        Effect.gen(function* () {
          let connections = 0
          const url = yield* rawServer((socket) => {
            connections++
            socket.on("data", () => {
              const answer = `${interim}${final}`
              const send = (at: number): void => {
                if (at >= answer.length) return
                socket.write(answer.slice(at, at + size), () => setImmediate(send, at + size))
              }
              send(0)
            })
          })
          for (let i = 0; i < 4; i++) {
            const response = yield* HttpClient.post(url)
            assert.deepStrictEqual([response.status, yield* response.text], [200, "HTTP/1.1 100"])
          }
          assert.isBelow(connections, 4)
        }).pipe(Effect.scoped, Effect.provide(LeanHttpClient.layer()))
      )
    }
  }
})
