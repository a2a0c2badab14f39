/** The recipes of examples/verify-*.ts, each behind a real server of its framework. */
import { createServer, type Server } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { serve } from "@hono/node-server"
import { Effect, Exit, Layer, Scope } from "effect"
import { HttpRouter } from "effect/http"
import { afterAll, describe, expect, it } from "vitest"
import * as effectRecipe from "../../examples/verify-effect.ts"
import * as expressRecipe from "../../examples/verify-express.ts"
import * as fastifyRecipe from "../../examples/verify-fastify.ts"
import * as honoRecipe from "../../examples/verify-hono.ts"
import * as nextRecipe from "../../examples/verify-next.ts"
import * as nodeRecipe from "../../examples/verify-node-http.ts"
import { authorizationHeader, signingString } from "../../src/domain/signing/signature.ts"
import { native } from "../../src/layers/signing/native.ts"

const key = native.signer(new Uint8Array(32).fill(1))
const options = { services: { "job-collector": [key.publicKey] }, replayGuard: { capacity: 100 } }
const text = (string: string) => new TextEncoder().encode(string)

const signed = (body: string): RequestInit => {
  const at = Math.floor(Date.now() / 1000)
  const digest = Buffer.from(native.sha256(text(body))).toString("hex")
  const authorization = authorizationHeader(at, key.sign(text(signingString(at, digest, "job-collector"))))
  const headers = { authorization, "x-service-id": "job-collector", "content-type": "application/json" }
  return { method: "POST", headers, body }
}

const finalizers: Array<() => unknown> = []
afterAll(() => Promise.all(finalizers.map((run) => run())))

const listening = (server: Server): Promise<string> => {
  finalizers.push(() => new Promise((done) => server.close(done)))
  return new Promise((resolve) => {
    const address = () => {
      const at = server.address()
      resolve(`http://127.0.0.1:${typeof at === "object" ? at?.port : at}`)
    }
    if (server.listening) address()
    else server.once("listening", address)
  })
}

const overHttp = (start: () => Promise<string>) => async (): Promise<(init: RequestInit) => Promise<Response>> => {
  const url = await start()
  return (init) => fetch(`${url}/api/jobs/add`, init)
}

const recipes: ReadonlyArray<[string, () => Promise<(init: RequestInit) => Promise<Response>>]> = [
  ["Express", overHttp(() => listening(expressRecipe.makeApp(options).listen(0, "127.0.0.1")))],
  [
    "Fastify",
    overHttp(() => {
      const app = fastifyRecipe.makeApp(options)
      finalizers.push(() => app.close())
      return app.listen({ port: 0, host: "127.0.0.1" })
    })
  ],
  [
    "Hono",
    overHttp(() => {
      const { fetch } = honoRecipe.makeApp(options)
      return listening(serve({ fetch, port: 0, hostname: "127.0.0.1" }) as Server)
    })
  ],
  ["node:http", overHttp(() => listening(nodeRecipe.makeServer(options).listen(0, "127.0.0.1")))],
  [
    "Next.js",
    // A route handler is a function of a Request: Next.js calls it so.
    async () => {
      const { POST } = nextRecipe.makeRoute(options)
      return (init) => POST(new Request("https://api.example/api/jobs/add", init))
    }
  ],
  [
    "Effect's HttpRouter",
    overHttp(async () => {
      const server = createServer()
      const routes = HttpRouter.serve(effectRecipe.makeRoutes(options), { disableLogger: true, disableListenLog: true })
      const listener = NodeHttpServer.layer(() => server, { port: 0, host: "127.0.0.1" })
      const scope = Scope.makeUnsafe()
      finalizers.push(() => Effect.runPromise(Scope.close(scope, Exit.void)))
      await Effect.runPromise(Layer.buildWithScope(Layer.provide(routes, listener), scope))
      return listening(server)
    })
  ]
]

describe.each(recipes)("the recipe for %s", (_, start) => {
  it("takes what is genuine once, and refuses the rest before it parses", async () => {
    const send = await start()
    const outcome = async (init: RequestInit) => {
      const response = await send(init)
      const { error_code, job_id } = (await response.json()) as { error_code?: string; job_id?: string }
      return `${response.status} ${job_id ?? error_code}`
    }
    // Spaces and digits that a parser would not give back as they came.
    const good = signed('{ "event_id" : "żółć-🎧",\n"n": 1.00 }')
    expect(await outcome(good)).toBe("200 job-żółć-🎧")
    expect(await outcome(good)).toBe("401 Replay")
    expect(await outcome({ ...good, body: '{"event_id":"forged"}' })).toBe("401 WrongSignature")
    expect(await outcome({ ...signed(""), body: "{ not json" })).toBe("401 WrongSignature")
    expect(await outcome({ method: "POST", body: "{" })).toBe("401 MissingHeader")
    expect(await outcome({ method: "POST" })).toBe("401 MissingHeader")
    expect(await outcome({ ...good, headers: { ...good.headers, "x-service-id": "other" } })).toBe("401 UnknownService")
  })
})
