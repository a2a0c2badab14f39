/** The console's pages: nothing that others wrote becomes markup, and acting goes by a preview (contract section 10). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { abandon, actToken, console, cookieOf, form, readToken } from "../support/console.ts"
import { transcribeFields } from "../support/events.ts"
import { abandoned, lengthOf, transcribe } from "../support/streams.ts"

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'\`{{x}}\u202e`

type Console = Effect.Success<ReturnType<typeof console>>

const signIn = Effect.fnUntraced(function* (ask: Console["ask"]) {
  const cookie = cookieOf(yield* ask("/sign-in", { method: "POST", headers: form, body: `token=${actToken}` }))
  const page = yield* ask("/", { headers: { cookie } })
  const antiForgery = /name="anti_forgery" value="([^"]+)"/.exec(page.text)?.[1] ?? ""
  return (path: string, fields: Record<string, string>) =>
    ask(path, {
      method: "POST",
      headers: { ...form, cookie },
      body: new URLSearchParams({ ...fields, anti_forgery: antiForgery }).toString()
    })
})

/** The fields of a form, as a browser would send them. */
const fieldsIn = (page: string): Record<string, string> =>
  Object.fromEntries(
    [...page.matchAll(/<input ([^>]*)>/g)].flatMap(([, attributes = ""]) => {
      const name = /name="([^"]*)"/.exec(attributes)?.[1]
      return name === undefined || name === "anti_forgery"
        ? []
        : [[name, /value="([^"]*)"/.exec(attributes)?.[1] ?? ""]]
    })
  )

describe("the console's pages", () => {
  it.effect("show events whose every field is markup as text, in every page and every field of a form", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      const fields = { user_id: hostile, model: hostile, session_id: hostile, device_id: hostile, extra: hostile }
      yield* abandon(redis, "e-1", { error_message: hostile, origin_stream: hostile }, fields)
      yield* redis.send("XADD", abandoned, "*", hostile, hostile)
      yield* redis.send(
        "XADD",
        `{${transcribe}}:audit`,
        "*",
        "audit",
        JSON.stringify({ at: 0, who: hostile, action: hostile, target: hostile, filter: hostile, why: hostile })
      )
      const post = yield* signIn(ask)
      yield* post("/traffic/set", { kind: "park", partition: `user_id=${hostile}`, why: hostile })
      yield* post("/jobs", { action: "abandoned drop", user: "nobody", why: hostile })
      const given = encodeURIComponent(hostile)
      const paths = [
        "/",
        "/failures",
        "/failures?by=user",
        "/failures/report",
        `/failures/report?user=${given}`,
        "/configuration",
        "/failures?by=model",
        `/failures?user=${given}&message=${given}&error_code=HTTP_500`,
        `/failures?stream=${given}`,
        `/failures?where=${given}`,
        `/failures?cursor=${given}`,
        "/event?id=e-1",
        "/event?id=e-1&payload=shown",
        `/event?id=${given}`,
        "/traffic",
        "/jobs",
        `/jobs/new?action=abandoned+replay&user=${given}`,
        `/jobs/new?action=${given}`,
        "/audit",
        `/audit?cursor=${given}`,
        `/sign-in?next=${given}`,
        `/${given}`
      ]
      for (const path of paths) {
        const { status, text } = yield* ask(path, { token: actToken })
        assert.include([200, 400, 404], status, `${path}: ${text}`)
        assert.notMatch(text, /<script(?![^>]* src="\/assets\/)|<img|\u202e/, path)
        assert.notMatch(text, /<[^>"]*(?:"[^"]*"[^>"]*)*\son[a-z]+\s*=/, path)
      }
      // Nor does a command that is copied run what stands in an id.
      const commanded = yield* ask("/event?id=%24(reboot)", { token: readToken })
      assert.include(commanded.text, "job-collector why &#39;$(reboot)&#39;")
      for (const path of ["/failures", "/event?id=e-1&payload=shown", "/traffic", "/audit"])
        assert.include((yield* ask(path, { token: actToken })).text, "&lt;script&gt;", path)
    })
  )

  it.effect("a page with everything on it is small, and what an event carries is hidden until it is asked for", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      for (let at = 0; at < 200; at++)
        yield* abandon(
          redis,
          `e-${at}`,
          { error_message: "x".repeat(1_000), error_code: `HTTP_${500 + at}` },
          { metadata: '{"secret":"of the user"}' }
        )
      const first = yield* ask("/", { token: readToken })
      const assets = [...first.text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path = ""]) => path)
      let bytes = first.text.length
      for (const path of assets) bytes += (yield* ask(path)).text.length
      assert.isAtLeast(assets.length, 3)
      assert.isBelow(bytes, 60_000)
      const failures = yield* ask("/failures", { token: readToken })
      assert.isBelow(failures.text.length, 100_000)
      assert.notInclude(failures.text, "of the user")
      assert.notInclude((yield* ask("/event?id=e-1", { token: readToken })).text, "of the user")
      const shown = (yield* ask("/event?id=e-1&payload=shown", { token: readToken })).text
      assert.include(shown, "of the user")
      assert.match(shown, /<pre[^>]*>\{\n {2}&quot;/, "line by line")
      const report = (yield* ask("/failures/report", { token: readToken })).text
      assert.match(report, /\n200 events of 1 user failed/)
      const asked = { method: "POST", headers: form, body: "error_code=HTTP_501" }
      assert.strictEqual((yield* ask("/failures/export", { ...asked, token: readToken })).status, 403)
      const exported = yield* ask("/failures/export", { ...asked, token: actToken })
      assert.strictEqual(exported.headers.get("content-type"), "application/x-ndjson")
      assert.deepInclude(JSON.parse(exported.text), { event_id: "e-1", error_code: "HTTP_501" })
      assert.match((yield* ask("/audit", { token: readToken })).text, /abandoned export.*HTTP_501/)
      assert.match((yield* ask("/jobs", { token: readToken })).text, /abandoned export[\s\S]*1 of 1/)
    })
  )

  it.effect("what a preview shows is what is acted on: what came since is no part of it", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      yield* TestClock.adjust("1 hour")
      for (let at = 0; at < 3; at++) yield* abandon(redis, `e-${at}`, { error_code: "TIMEOUT" })
      yield* abandon(redis, "other")
      const post = yield* signIn(ask)
      const preview = yield* ask("/jobs/new?action=abandoned+replay&error_code=TIMEOUT", { token: actToken })
      assert.include(preview.text, "<strong>3 events</strong> of 3 matching entries")
      yield* TestClock.adjust("1 minute")
      yield* abandon(redis, "later", { error_code: "TIMEOUT" })
      const fields = fieldsIn(preview.text)
      assert.deepInclude(fields, { action: "abandoned replay", error_code: "TIMEOUT", limit: "3" })
      assert.strictEqual((yield* post("/jobs", fields)).status, 303)
      // A second click is the same job.
      assert.strictEqual((yield* post("/jobs", fields)).status, 303)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* lengthOf(redis, abandoned), 2)
      assert.strictEqual(yield* lengthOf(redis, transcribe), 3)
      const jobs = yield* ask("/jobs", { token: readToken })
      assert.include(jobs.text, "3 of 3")
      assert.include((yield* ask("/audit", { token: readToken })).text, "abandoned replay")
    })
  )

  it.effect("nothing is offered or done without a token that acts, nor to everything without a filter", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      yield* abandon(redis, "e-1")
      for (const path of ["/failures?user=user-1", "/traffic", "/jobs"])
        assert.notMatch((yield* ask(path, { token: readToken })).text, /<form method="post"|href="\/jobs\/new/, path)
      assert.strictEqual((yield* ask("/jobs/new?action=abandoned+drop&user=u", { token: readToken })).status, 403)
      assert.notInclude((yield* ask("/failures", { token: actToken })).text, 'href="/jobs/new')
      assert.strictEqual((yield* ask("/jobs/new?action=abandoned+drop", { token: actToken })).status, 400)
      const post = yield* signIn(ask)
      assert.strictEqual((yield* post("/jobs", { action: "abandoned drop" })).status, 400)
      assert.strictEqual((yield* post("/traffic/set", { kind: "limit", rate: "fast" })).status, 400)
      assert.strictEqual(yield* lengthOf(redis, abandoned), 1)
    })
  )

  it.effect("an event opened from a list is read where it stands, another is looked for no longer than is let", () =>
    Effect.gen(function* () {
      const { ask, redis } = yield* console()
      yield* redis.send("XADD", transcribe, "1700000000000-0", ...transcribeFields("e-7", 1_700_000_000_000))
      for (let at = 0; at < 1_500; at++) yield* abandon(redis, `e-${at}`)
      const list = yield* ask("/failures?event_id=e-7&look=5000", { token: readToken })
      const link = /href="(\/event\?[^"]+)"/.exec(list.text)?.[1]?.replaceAll("&amp;", "&") ?? ""
      assert.match(link, /stream=.+&entry=\d+-\d+/)
      const known = yield* ask(link, { token: readToken })
      assert.include(known.text, "Read where its entry was seen")
      assert.include(known.text, "1700000000000-0", "the entry that it came from")
      const sought = yield* ask("/event?id=e-7", { token: readToken })
      assert.match(sought.text, /the latest 1,500 entries of [^,]+, and no farther once it was found/)
      const api = yield* ask("/api/v1/events/e-1499", { token: readToken })
      const { chapters, is_whole, looked } = JSON.parse(api.text)
      assert.strictEqual(is_whole, false)
      assert.strictEqual(looked.at(-1).stream, abandoned)
      assert.isBelow(looked.at(-1).looked, 1_500, "no farther once it was found")
      assert.strictEqual(chapters.at(-1).place, "abandoned")
      // What stands where a link says is another's by now.
      const gone = yield* ask(link.replace("id=e-7&", "id=e-8&"), { token: readToken })
      assert.include(gone.text, "abandoned replay")
      assert.strictEqual((yield* ask("/event?id=none", { token: readToken })).status, 404)
    })
  )

  it.effect("a pause set in the browser holds and is lifted there", () =>
    Effect.gen(function* () {
      const { ask } = yield* console()
      const post = yield* signIn(ask)
      assert.strictEqual(
        (yield* post("/traffic/set", { kind: "pause", duration: "10m", why: "migration" })).status,
        303
      )
      assert.include((yield* ask("/", { token: readToken })).text, "nothing is read: no replica runs")
      assert.include((yield* ask("/traffic", { token: readToken })).text, "migration")
      assert.strictEqual((yield* post("/traffic/lift", { kind: "pause" })).status, 303)
      assert.include((yield* ask("/traffic", { token: readToken })).text, "No rule is in force")
    })
  )
})
