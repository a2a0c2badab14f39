/** Every route of the console, asked by everybody: who is let in, and what hostile questions come to (contract section 10). */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { abandon, actToken, console, cookieOf, form, readToken } from "../support/console.ts"

interface Route {
  readonly method: "GET" | "POST"
  readonly path: string
}

const folder = fileURLToPath(new URL("../../src/console/pages/", import.meta.url))

/** The routes of the pages as their sources add them; a route that is added in another way is one that this test must learn of. */
const pageRoutes: ReadonlyArray<Route> = readdirSync(folder).flatMap((file) =>
  [
    ...readFileSync(`${folder}/${file}`, "utf8").matchAll(/HttpRouter\.add\(\s*"(GET|POST)",\s*["`]([^"`]+)["`]/g)
  ].flatMap(([, method, path = ""]) =>
    (path.endsWith("}") ? ["hold", "release", "rollback", "accept"] : [""]).map((name) => ({
      method: method === "POST" ? "POST" : "GET",
      path: path.replace(/\$\{name\}$/, name)
    }))
  )
)

type Console = Effect.Success<ReturnType<typeof console>>

const apiRoutes = Effect.fnUntraced(function* (ask: Console["ask"]) {
  const { text } = yield* ask("/api/v1/openapi.json", { token: readToken })
  const { paths }: { paths: Record<string, Record<string, unknown>> } = JSON.parse(text)
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(
      (method): Route => ({ method: method === "post" ? "POST" : "GET", path: path.replaceAll(/\{[^}]+\}/g, "x") })
    )
  )
})

const isApi = ({ path }: Route) => path.startsWith("/api/")
const isPublic = ({ path }: Route) => path === "/sign-in" || path.startsWith("/assets/")
/** It goes on for as long as somebody listens. */
const isEndless = ({ path }: Route) => path === "/api/v1/live"

const markup = "<script>alert(1)</script>"
const hostile = [markup, "../../etc/passwd", "__proto__", "99999999999999999999-0", "\u0000\r\nset-cookie: a=b", "%"]
const names = [
  "id",
  "cursor",
  "look",
  "limit",
  "place",
  "by",
  "user",
  "where",
  "since",
  "stream",
  "entry",
  "action",
  "from"
]

const queries = hostile.map((value) =>
  new URLSearchParams(names.map((name): [string, string] => [name, value])).toString()
)

describe("every route of the console", () => {
  it.effect("lets in whoever may, and nobody else, by whatever way they come", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const routes = [...pageRoutes, ...(yield* apiRoutes(ask))]
      assert.isAtLeast(routes.length, 40)
      const signedIn = yield* ask("/sign-in", { method: "POST", headers: form, body: `token=${actToken}` })
      const cookie = cookieOf(signedIn)
      const home = yield* ask("/", { headers: { cookie } })
      const antiForgery = /name="anti_forgery" value="([^"]+)"/.exec(home.text)?.[1] ?? ""
      const table: Array<string> = []
      for (const route of routes.filter((route) => !isPublic(route))) {
        const { method, path } = route
        const body = method === "GET" ? {} : { body: isApi(route) ? "{}" : "kind=none" }
        const type = isApi(route) ? { "content-type": "application/json" } : form
        const status = (headers: Record<string, string>, token?: string) =>
          Effect.map(
            ask(path, { method, headers: { ...type, ...headers }, ...(token && { token }), ...body }),
            (answer) => answer.status
          )
        const stranger = method === "GET" && !isApi(route) ? 303 : 401
        const reads = method === "GET" && path !== "/jobs/new"
        // What it makes of an empty question is its own affair, as long as it is one.
        const answered: ReadonlyArray<number> = [200, 201, 303, 400, 404, 409]
        const only = (status: number): ReadonlyArray<number> => [status]
        const may = (allowed: boolean): ReadonlyArray<number> => (allowed ? answered : [403])
        const columns = [
          ["no token", {}, undefined, only(stranger)],
          ["wrong token", {}, "wrong-token-wrong-token", only(stranger)],
          ["a session's cookie that is forged", { cookie: `${cookie}x` }, undefined, only(stranger)],
          ["foreign host", { host: "evil.example" }, actToken, only(421)],
          ["no host", { host: "" }, actToken, only(421)],
          ["no anti-forgery token", { cookie }, undefined, may(method === "GET")],
          ["wrong anti-forgery token", { cookie, "x-anti-forgery": "x" }, undefined, may(method === "GET")],
          [
            "foreign page",
            { cookie, "x-anti-forgery": antiForgery, origin: "http://evil.example" },
            undefined,
            may(method === "GET")
          ],
          ["session", { cookie, "x-anti-forgery": antiForgery }, undefined, answered],
          ["read token", {}, readToken, may(reads || path === "/sign-out")],
          ["act token", {}, actToken, answered]
        ] as const
        for (const [who, headers, token, wanted] of columns) {
          if (isEndless(route) && wanted === answered) continue
          const given = yield* status(headers, token)
          if (!wanted.includes(given)) table.push(`${method} ${path}, ${who}: ${given}, not ${wanted.join(" or ")}`)
          yield* TestClock.adjust("1 minute")
        }
      }
      assert.deepStrictEqual(table, [])
    })
  )

  it.effect("answers hostile ids, filters and bodies as what they are: no error of its own, no markup, no header", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      yield* abandon(redis, markup, { error_message: markup }, { user_id: markup })
      const routes = [...pageRoutes, ...(yield* apiRoutes(ask))].filter((route) => !isEndless(route))
      const wrong: Array<string> = []
      for (const route of routes) {
        const { method, path } = route
        for (const query of queries) {
          const type = isApi(route) ? { "content-type": "application/json" } : form
          const text = isApi(route) ? JSON.stringify(Object.fromEntries(new URLSearchParams(query))) : query
          const asked =
            method === "GET"
              ? yield* ask(`${path}?${query}`, { token: actToken })
              : yield* ask(path, { method, token: actToken, headers: type, body: text })
          const said = `${method} ${path} ${query.slice(0, 40)}: ${asked.status}`
          if (asked.status >= 500 || asked.status === 403) wrong.push(said)
          if (asked.headers.get("content-type")?.startsWith("text/html") && asked.text.includes(markup))
            wrong.push(`${said}, with markup`)
          if (asked.headers.get("content-security-policy") === null) wrong.push(`${said}, without a policy`)
          if (asked.headers.get("set-cookie")?.includes("a=b")) wrong.push(`${said}, with a header of others`)
        }
        yield* TestClock.adjust("1 minute")
      }
      assert.deepStrictEqual(wrong, [])
    })
  )
})
