import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer as createTlsServer } from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TLSSocket } from "node:tls"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Layer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as LeanHttpClient from "../../src/layers/http/LeanHttpClient.ts"
import * as NodeApiWire from "../../src/layers/http/NodeApiWire.ts"
import * as Environment from "../../src/layers/settings/Environment.ts"
import { ApiWire } from "../../src/services/ApiWire.ts"
import { TlsAuthority } from "../support/tls-authority.ts"

/** A server that lets in who shows a certificate of its authority, and says who that is and which headers came. */
const askingServer = Effect.acquireRelease(
  Effect.promise(async () => {
    const authority = new TlsAuthority()
    const folder = mkdtempSync(join(tmpdir(), "job-collector-api-tls-"))
    const server = createTlsServer(
      {
        key: readFileSync(authority.keyFile),
        cert: readFileSync(authority.certificateFile),
        ca: authority.ca,
        requestCert: true,
        rejectUnauthorized: true
      },
      ({ headers, socket }, response) => {
        const { subject } = (socket as TLSSocket).getPeerCertificate()
        response.end(JSON.stringify({ name: subject.CN, headers }))
      }
    )
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    return { authority, folder, server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }),
  ({ authority, folder, server }) =>
    Effect.promise(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      authority.remove()
      rmSync(folder, { recursive: true })
    })
)

const settingsOf = (environment: Record<string, string>) =>
  Environment.load(Environment.apiClient).pipe(
    Effect.provide(Layer.merge(NodeFileSystem.layer, ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment))))
  )

const problemsOf = (environment: Record<string, string>) =>
  Effect.map(Effect.flip(settingsOf(environment)), ({ message }) => message.split("\n"))

const get = Effect.fnUntraced(function* (
  url: string,
  environment: Record<string, string>,
  headers: Record<string, string> = {}
) {
  const { settings } = yield* settingsOf(environment)
  return yield* HttpClient.execute(HttpClientRequest.get(url, { headers })).pipe(
    Effect.flatMap((response) => response.json),
    Effect.map((body) => body as { readonly name: string; readonly headers: Record<string, string> }),
    Effect.provide(LeanHttpClient.layer(settings))
  )
})

describe("requests to an API with TLS of its own", () => {
  it.live("show a client certificate, and trust the authority that is named", () =>
    Effect.gen(function* () {
      const { authority, folder, url } = yield* askingServer
      const ca = { API_TLS_CA_FILE: authority.caFile }
      const client = { API_TLS_CERT_FILE: authority.certificateFile, API_TLS_KEY_FILE: authority.keyFile }
      assert.strictEqual((yield* get(url, { ...ca, ...client })).name, "localhost")
      const anonymous = yield* Effect.flip(get(url, ca))
      assert.match(String(anonymous.cause), /certificate required|ECONNRESET|socket|alert/i)
      const unknown = yield* Effect.flip(get(url, client))
      assert.match(String(unknown.cause), /certificate/i)

      writeFileSync(join(folder, "chain"), readFileSync(authority.certificateFile, "utf8") + authority.ca)
      const chain = yield* get(url, { ...ca, ...client, API_TLS_CERT_FILE: join(folder, "chain") })
      assert.strictEqual(chain.name, "localhost")

      // As verify-api goes out.
      const { settings } = yield* settingsOf({ ...ca, ...client })
      const wire = NodeApiWire.layer({ ...settings, baseUrl: url, timeout: Duration.seconds(10) })
      const request = { method: "GET", path: "/", headers: {}, body: new Uint8Array(0) } as const
      const answer = yield* Effect.flatMap(ApiWire, ({ send }) => send(request)).pipe(Effect.provide(wire))
      assert.include(new TextDecoder().decode(answer.body), '"name":"localhost"')
    }).pipe(Effect.scoped)
  )

  it.live("have the headers of a file beside their own, which stay as they are", () =>
    Effect.gen(function* () {
      const { authority, folder, url } = yield* askingServer
      const file = join(folder, "headers")
      writeFileSync(file, "X-Tenant: blue one \r\n\nApi-Key:secret\nx-mine: of the file\n")
      const environment = {
        API_TLS_CA_FILE: authority.caFile,
        API_TLS_CERT_FILE: authority.certificateFile,
        API_TLS_KEY_FILE: authority.keyFile,
        API_HEADERS_FILE: file
      }
      const { headers } = yield* get(url, environment, { "x-mine": "of the request" })
      assert.deepInclude(headers, { "x-tenant": "blue one", "api-key": "secret", "x-mine": "of the request" })
    }).pipe(Effect.scoped)
  )

  it.live("are refused at the start where a file is wrong, by its variable and line, without its content", () =>
    Effect.gen(function* () {
      const { authority, folder } = yield* askingServer
      const file = (content: string) => {
        writeFileSync(join(folder, "file"), content)
        return join(folder, "file")
      }
      for (const [content, problem] of [
        ["X-A: 1\nsecret\n", /must have one `Name: value` a line, in ASCII: in line 2 there is none$/],
        ["X A: secret\n", /in line 1/],
        ["X-A: s\u00e9cret\n", /in line 1/],
        ["X-A: secret\u0000\n", /in line 1/],
        ["X-A: 1\n\nx-a: secret", /must not set x-a in line 3 again$/],
        ["Authorization: secret", /must not set Authorization in line 1: that header is the collector's own$/],
        ["ok: 1\nIdempotency-Key: secret", /Idempotency-Key in line 2/],
        ["content-length: 3", /content-length in line 1/],
        ["Signature: secret", /Signature in line 1/],
        ["Webhook-Id: secret", /Webhook-Id in line 1/]
      ] as const) {
        const [line = "", ...more] = yield* problemsOf({ API_HEADERS_FILE: file(content) })
        assert.match(line, /^API_HEADERS_FILE: the file that it names /)
        assert.match(line, problem)
        assert.notMatch(line, /s[eé]cret/)
        assert.deepStrictEqual(more, [])
      }
      const { caFile, certificateFile, keyFile } = authority
      assert.deepStrictEqual(yield* problemsOf({ API_TLS_CERT_FILE: certificateFile }), [
        "API_TLS_KEY_FILE: must be set, because API_TLS_CERT_FILE is: a client certificate is both"
      ])
      assert.deepStrictEqual(yield* problemsOf({ API_TLS_CERT_FILE: caFile, API_TLS_KEY_FILE: keyFile }), [
        "API_TLS_KEY_FILE: must hold the key of the certificate in API_TLS_CERT_FILE"
      ])
      assert.match((yield* problemsOf({ API_TLS_CA_FILE: file("none") })).join(), /API_TLS_CA_FILE: .* PEM format/)
      assert.match(
        (yield* problemsOf({ API_TLS_CERT_FILE: certificateFile, API_TLS_KEY_FILE: file("none") })).join(),
        /API_TLS_KEY_FILE: the file that it names must contain a private key in PEM format, without a passphrase/
      )
      const plain = yield* settingsOf({ API_BASE_URL: "http://127.0.0.1", API_TLS_CA_FILE: caFile })
      assert.deepStrictEqual(plain.warnings, ["API_TLS_CA_FILE: has no effect, because API_BASE_URL is not https://"])
    }).pipe(Effect.scoped)
  )
})
