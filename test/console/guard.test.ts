/** Who comes in, and who does not (contract section 10). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { actToken, console, cookieOf, form, readToken } from "../support/console.ts"

const signIn = { method: "POST", headers: form }

/** The session's anti-forgery token, as its pages carry it. */
const antiForgeryIn = (page: string): string => /name="anti_forgery" value="([^"]+)"/.exec(page)?.[1] ?? ""

describe("the console's guard", () => {
  it.effect("lets nobody in without a token: a page goes to the sign-in, a program gets a problem", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const page = yield* ask("/?a=b")
      assert.strictEqual(page.status, 303)
      assert.strictEqual(page.headers.get("location"), "/sign-in?next=%2F%3Fa%3Db")
      const api = yield* ask("/api/v1/anything")
      assert.strictEqual(api.status, 401)
      assert.strictEqual(api.headers.get("content-type"), "application/problem+json")
      assert.strictEqual(api.headers.get("www-authenticate"), "Bearer")
      assert.strictEqual(JSON.parse(api.text).title, "Sign in first")
      assert.strictEqual((yield* ask("/", { method: "POST" })).status, 401)
    })
  )

  it.effect("takes a token of either role as a bearer; a read token changes nothing", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      for (const token of [readToken, actToken]) assert.strictEqual((yield* ask("/", { token })).status, 200)
      assert.strictEqual((yield* ask("/", { token: `${readToken}x` })).status, 303)
      assert.strictEqual((yield* ask("/nowhere", { method: "POST", token: readToken })).status, 403)
      assert.strictEqual((yield* ask("/nowhere", { method: "DELETE", token: readToken })).status, 403)
      assert.strictEqual((yield* ask("/nowhere", { method: "POST", token: actToken })).status, 404)
    })
  )

  it.effect("a bearer that is wrong is not helped by a session that is right", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const cookie = cookieOf(yield* ask("/sign-in", { ...signIn, body: `token=${readToken}` }))
      assert.strictEqual((yield* ask("/", { headers: { cookie } })).status, 200)
      assert.strictEqual((yield* ask("/", { headers: { cookie }, token: "wrong" })).status, 303)
    })
  )

  it.effect("refuses a name that is not its own, an address of another only where no token is set", () =>
    Effect.gen(function* () {
      const { ask } = yield* console(undefined, ["console.example"])
      const status = (host: string) =>
        Effect.map(ask("/", { token: readToken, headers: { host } }), (answer) => answer.status)
      for (const host of [
        "evil.example",
        "evil.example:9465",
        "127.0.0.1.evil.example",
        "a@localhost",
        "",
        "localhost/x"
      ])
        assert.strictEqual(yield* status(host), 421, host)
      for (const host of ["localhost:1", "127.0.0.1", "[::1]:9465", "10.0.0.7:9465", "CONSOLE.example"])
        assert.strictEqual(yield* status(host), 200, host)
      const open = yield* console({ read: [], act: [] })
      assert.strictEqual((yield* open.ask("/", { headers: { host: "10.0.0.7:9465" } })).status, 421)
      assert.strictEqual((yield* open.ask("/", { headers: { host: "evil.example" } })).status, 421)
    })
  )

  it.effect("without any token it may be read, and nothing can be done", () =>
    Effect.gen(function* () {
      const { ask } = yield* console({ read: [], act: [] })
      assert.strictEqual((yield* ask("/")).status, 200)
      assert.strictEqual((yield* ask("/nowhere", { method: "POST" })).status, 403)
      assert.strictEqual((yield* ask("/nowhere", { method: "POST", token: actToken })).status, 401)
    })
  )

  it.effect("a session's cookie is for this site alone, ends after 12 hours, and with its token", () =>
    Effect.gen(function* () {
      const { access, ask } = yield* console()
      const answer = yield* ask("/sign-in", { ...signIn, body: `token=${actToken}&next=/?a=1` })
      assert.strictEqual(answer.status, 303)
      assert.match(answer.headers.get("set-cookie") ?? "", /; Path=\/; HttpOnly; SameSite=Strict$/)
      const cookie = cookieOf(answer)
      const status = Effect.map(ask("/", { headers: { cookie } }), (it) => it.status)
      assert.strictEqual(yield* status, 200)
      for (const forged of [
        cookie.replace("act", "read"),
        cookie.replace("bob", "anna"),
        cookie.slice(0, -1),
        `${cookie}x`
      ])
        assert.strictEqual((yield* ask("/", { headers: { cookie: forged } })).status, 303, forged)
      yield* TestClock.adjust("11 hours")
      assert.strictEqual(yield* status, 200)
      access.use({ read: [], act: [{ name: "bob", token: `${actToken}-rotated` }] })
      assert.strictEqual(yield* status, 303)
      access.use({ read: [], act: [{ name: "bob", token: actToken }] })
      assert.strictEqual(yield* status, 200)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(yield* status, 303)
    })
  )

  it.effect("a session acts with its anti-forgery token only, in a header or a form; no other's will do", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const sessionOf = Effect.fnUntraced(function* (token: string) {
        const cookie = cookieOf(yield* ask("/sign-in", { ...signIn, body: `token=${token}` }))
        return { cookie, antiForgery: antiForgeryIn((yield* ask("/", { headers: { cookie } })).text) }
      })
      const { antiForgery, cookie } = yield* sessionOf(actToken)
      const other = yield* sessionOf(actToken)
      assert.notStrictEqual(antiForgery, "")
      const act = (headers: Record<string, string>, body?: string) =>
        Effect.map(
          ask("/nowhere", { method: "POST", headers: { cookie, ...headers }, ...(body === undefined ? {} : { body }) }),
          (answer) => answer.status
        )
      assert.strictEqual(yield* act({}), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": "wrong" }), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": other.antiForgery }), 403)
      assert.strictEqual(yield* act(form, `anti_forgery=${other.antiForgery}`), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": antiForgery }), 404)
      assert.strictEqual(yield* act(form, `anti_forgery=${antiForgery}`), 404)
      assert.strictEqual(yield* act({ "x-anti-forgery": antiForgery, origin: "http://evil.example" }), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": antiForgery, origin: "null" }), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": antiForgery, "sec-fetch-site": "cross-site" }), 403)
      assert.strictEqual(yield* act({ "x-anti-forgery": antiForgery, origin: "http://127.0.0.1:9465" }), 404)
      assert.strictEqual((yield* ask("/sign-out", { method: "POST", headers: { cookie } })).status, 403)
      const reading = yield* sessionOf(readToken)
      const headers = { cookie: reading.cookie, "x-anti-forgery": reading.antiForgery }
      assert.strictEqual((yield* ask("/nowhere", { method: "POST", headers })).status, 403)
      assert.strictEqual((yield* ask("/sign-out", { method: "POST", headers })).status, 303)
    })
  )

  it.effect("takes ten wrong tokens a minute, in the form and as bearers, and a right bearer always", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      for (let at = 0; at < 5; at++) {
        assert.strictEqual((yield* ask("/sign-in", { ...signIn, body: "token=wrong" })).status, 401)
        assert.strictEqual((yield* ask("/api/v1/x", { token: "wrong" })).status, 401)
      }
      const refused = yield* ask("/sign-in", { ...signIn, body: `token=${actToken}` })
      assert.strictEqual(refused.status, 429)
      assert.strictEqual(refused.headers.get("retry-after"), "60")
      assert.isNull(refused.headers.get("set-cookie"))
      assert.strictEqual((yield* ask("/api/v1/x", { token: "wrong" })).status, 429)
      assert.strictEqual((yield* ask("/", { token: readToken })).status, 200)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* ask("/sign-in", { ...signIn, body: `token=${actToken}` })).status, 303)
    })
  )

  it.effect("goes on only to pages of its own after a sign-in", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      for (const next of [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\nb"
      ]) {
        const body = new URLSearchParams({ token: readToken, next }).toString()
        assert.strictEqual((yield* ask("/sign-in", { ...signIn, body })).headers.get("location"), "/", next)
      }
      const shown = yield* ask(`/sign-in?next=${encodeURIComponent('/"><script>')}`)
      assert.notInclude(shown.text, "><script>")
    })
  )

  it.effect("every answer forbids scripts of others, frames and caching, an error too; a body has its limit", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const answers = [
        yield* ask("/", { token: readToken }),
        yield* ask("/sign-in"),
        yield* ask("/nowhere", { token: readToken }),
        yield* ask("/", { headers: { host: "evil.example" } }),
        yield* ask("/sign-in", { ...signIn, body: `token=${"x".repeat(70_000)}` })
      ]
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [200, 200, 404, 421, 413]
      )
      for (const { headers, text } of answers) {
        assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'; script-src 'self';/)
        assert.notInclude(headers.get("content-security-policy") ?? "", "unsafe")
        assert.strictEqual(headers.get("x-content-type-options"), "nosniff")
        assert.strictEqual(headers.get("cache-control"), "no-store")
        assert.notMatch(text, /<script(?![^>]* src="\/assets\/)|\son[a-z]+=|\sstyle=/)
      }
    })
  )
})
