import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { type AddressInfo, connect } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted } from "effect"
import { HttpClient, type HttpClientError } from "effect/http"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as Environment from "../../src/layers/settings/Environment.ts"
import { serve } from "../support/http-server.ts"
import { freePort } from "../support/redis-server.ts"
import { TlsAuthority } from "../support/tls-authority.ts"

interface Listening {
  readonly listen: (port: number, host: string, done: () => void) => unknown
  readonly address: () => unknown
  readonly close: () => unknown
}

const listening = <S extends Listening>(server: S) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
      return (server.address() as AddressInfo).port
    }),
    () => Effect.sync(() => server.close())
  )

/** A proxy that makes tunnels; it notes where to, and with which credentials. */
const tunnelling = Effect.gen(function* () {
  const tunnels: Array<string> = []
  const proxy = createServer((_, response) => response.writeHead(405).end())
  proxy.on("connect", ({ headers, url = "" }, near) => {
    tunnels.push(`${url} ${headers["proxy-authorization"] ?? "-"}`)
    const [host, port] = url.split(":")
    if (host === "forbidden.example") return near.end("HTTP/1.1 403 Forbidden\r\n\r\n")
    const far = connect(Number(port), host, () => {
      near.write("HTTP/1.1 200 Connection Established\r\n\r\n")
      far.pipe(near).pipe(far)
    })
    for (const socket of [near, far]) socket.on("error", () => far.destroy())
    return far
  })
  return { port: yield* listening(proxy), tunnels }
})

const through = (proxy: string, tlsCa?: string) =>
  Effect.provide(LeanHttpClient.layer({ proxyUrl: Redacted.make(new URL(proxy)), tlsCa }), { local: true })

const failure = <A>(effect: Effect.Effect<A, HttpClientError.HttpClientError>) =>
  Effect.map(Effect.flip(effect), ({ cause }) => (cause instanceof Error ? cause.message : String(cause)))

const text = (url: string) => Effect.flatMap(HttpClient.get(url), (response) => response.text)

describe("a proxy to the API", () => {
  it.live("is gone through in a tunnel, to http:// and to https://, with its credentials", () =>
    Effect.gen(function* () {
      const { port, tunnels } = yield* tunnelling
      const { url } = yield* serve((_, response) => response.end("plain"))
      assert.strictEqual(yield* text(url).pipe(through(`http://user:pass%20word@127.0.0.1:${port}`)), "plain")
      const credentials = Buffer.from("user:pass word").toString("base64")
      assert.deepStrictEqual(tunnels, [`${new URL(url).host} Basic ${credentials}`])
      const authority = yield* Effect.acquireRelease(
        Effect.sync(() => new TlsAuthority()),
        (made) => Effect.sync(() => made.remove())
      )
      const keys = { key: readFileSync(authority.keyFile), cert: readFileSync(authority.certificateFile) }
      const secure = yield* listening(createTlsServer(keys, (_, response) => response.end("secret")))
      const proxied = text(`https://127.0.0.1:${secure}`)
      assert.strictEqual(yield* proxied.pipe(through(`http://127.0.0.1:${port}`, authority.ca)), "secret")
      assert.strictEqual(tunnels[1], `127.0.0.1:${secure} -`)
    })
  )

  it.live("that refuses, or is away, is what the error names", () =>
    Effect.gen(function* () {
      const { port } = yield* tunnelling
      const refused = yield* failure(text("http://forbidden.example/").pipe(through(`http://127.0.0.1:${port}`)))
      assert.match(refused, /Proxy response \(403\)/)
      const nowhere = yield* Effect.promise(freePort)
      const away = yield* failure(text("http://api.example/").pipe(through(`http://u:secret@127.0.0.1:${nowhere}`)))
      assert.match(away, /proxy/i)
      assert.notInclude(away, "secret")
    })
  )

  it.effect("its variable is read alone, and a warning says so where only others are set", () =>
    Effect.gen(function* () {
      const load = (env: Record<string, string>) =>
        Environment.load(Environment.proxy).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
        )
      const { settings, warnings } = yield* load({ HTTPS_PROXY: "http://p:1", http_proxy: "http://p:1" })
      assert.isUndefined(settings)
      assert.deepStrictEqual(warnings, [
        "HTTPS_PROXY, http_proxy: is not read: API_PROXY_URL names the proxy to the jobs API"
      ])
      const both = yield* load({ HTTPS_PROXY: "http://p:1", API_PROXY_URL: "http://u:pw@proxy:3128" })
      assert.deepStrictEqual(both.warnings, [])
      assert.strictEqual(both.settings === undefined ? "" : Redacted.value(both.settings).host, "proxy:3128")
      for (const wrong of ["socks5://u:secret@proxy", "http://u:secret%@proxy", "http://secret@proxy/path", "secret"]) {
        const error = yield* Effect.flip(load({ API_PROXY_URL: wrong }))
        assert.match(error.message, /^API_PROXY_URL: must be the http:\/\/ or https:\/\/ URL of a proxy/)
        assert.notInclude(error.message, "secret")
      }
    })
  )
})
