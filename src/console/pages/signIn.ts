/** Signing in with a token, and out. */
import { Clock, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { addressOf, cookieName } from "../guard.ts"
import { html } from "../html.ts"
import { Served } from "../served.ts"
import { page } from "./layout.ts"

/** Where to go afterwards: a path of this console, and nothing that a browser takes for another site. */
const nextOf = (given: string | null): string => (given !== null && /^\/(?![/\\])[!-~]*$/.test(given) ? given : "/")

const form = (next: string, problem?: string, status = 200) =>
  page(
    { title: "Sign in", visitor: undefined, current: undefined },
    html`<h1>Sign in</h1>
${problem === undefined ? undefined : html`<p class="problem" role="alert">${problem}</p>`}
<form method="post" action="/sign-in" class="stack"><input type="hidden" name="next" value="${next}">
<label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button class="primary">Sign in</button></form>
<p class="hint">The token is the part after the colon of a line of CONSOLE_READ_TOKEN_FILE or CONSOLE_ACT_TOKEN_FILE.</p>`,
    status
  )

const show = Effect.map(HttpServerRequest.HttpServerRequest, (request) =>
  form(nextOf(new URLSearchParams(request.url.split("?")[1] ?? "").get("next")))
)

const signIn = Effect.gen(function* () {
  const { guarded } = yield* Served
  const { access, failedTries } = guarded
  const request = yield* HttpServerRequest.HttpServerRequest
  const given = new URLSearchParams(yield* request.text)
  const next = nextOf(given.get("next"))
  const now = yield* Clock.currentTimeMillis
  const address = addressOf(request)
  const wait = failedTries.waitOf(address, now)
  if (wait !== undefined) {
    return HttpServerResponse.setHeader(
      form(next, `Too many wrong tokens: try again in ${wait} seconds.`, 429),
      "retry-after",
      String(wait)
    )
  }
  const cookie = access.signIn(given.get("token") ?? "", now)
  if (cookie === undefined) {
    failedTries.note(address, now)
    yield* Effect.logWarning("console.sign_in_failed").pipe(Effect.annotateLogs({ address }))
    return form(next, "This is not one of the console's tokens.", 401)
  }
  const visitor = access.session(cookie, now)
  yield* Effect.logInfo("console.signed_in").pipe(
    Effect.annotateLogs({ name: visitor?.name, role: visitor?.role, address })
  )
  return HttpServerResponse.setCookieUnsafe(HttpServerResponse.redirect(next, { status: 303 }), cookieName, cookie, {
    httpOnly: true,
    sameSite: "strict",
    path: "/",
    secure: request.headers["x-forwarded-proto"] === "https"
  })
})

const signOut = Effect.sync(() =>
  HttpServerResponse.expireCookieUnsafe(HttpServerResponse.redirect("/sign-in", { status: 303 }), cookieName, {
    httpOnly: true,
    sameSite: "strict",
    path: "/"
  })
)

export const routes = Layer.mergeAll(
  HttpRouter.add("GET", "/sign-in", show),
  HttpRouter.add("POST", "/sign-in", signIn),
  HttpRouter.add("POST", "/sign-out", signOut)
)
