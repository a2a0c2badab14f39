/** Every page of the console in a browser, with real data: light, dark and narrow, for everybody who reads it. */
import { join } from "node:path"
import { env } from "node:process"
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, it } from "vitest"
import { openBrowser, Watched } from "../support/browser.ts"
import { waitUntil } from "../support/redis-server.ts"
import { actToken, Stage } from "./stage.ts"

/** Where pictures of the pages are to be put, if anywhere, and of which: of all, if that is not said (`npm run pictures`). */
const { CONSOLE_PICTURES: pictures, CONSOLE_PICTURES_OF: pictured } = env

const isPictured = (name: string): boolean => pictured?.split(",").includes(name) ?? true

let browser: Browser
let stage: Stage

const model = (input: number) => ({
  model_configs: [
    { id: "gpt-4o", provider: "openai", enabled: true, rules: { max_tokens: 4096 }, costs: { input, output: 10 } }
  ]
})

/** An API that takes back a model in the middle of the night, and is overloaded by one user. */
const answerOf: Parameters<Stage["answers"]>[0] = ({ body, eventId }) => {
  if (body.model === "whisper-large-v3")
    return {
      status: 422,
      body: { error_code: "UNKNOWN_MODEL", error_message: `model whisper-large-v3 is not offered (request ${eventId})` }
    }
  if (body.user_id === "user-4711")
    return { status: 400, body: { error_code: "QUOTA", error_message: "the plan of user-4711 has ended" } }
  if (body.user_id === "user-800")
    return { status: 503, body: { error_code: "OVERLOADED", error_message: "try again later" } }
  return undefined
}

beforeAll(async () => {
  ;[browser, stage] = await Promise.all([openBrowser(), Stage.open()])
  stage.answers(answerOf)
  for (let minute = 1; minute < 182; minute++) {
    const delivered = Math.round(240 + 80 * Math.sin(minute / 17) + 12 * Math.sin(minute * 2.1))
    const retried = minute > 40 && minute < 52 ? 60 : minute % 9
    await stage.counted(minute, { received: delivered + 4, delivered, retried, abandoned: minute < 6 ? 3 : 0 })
  }
  await Promise.all([
    ...Array.from({ length: 18 }, (_, at) =>
      stage.transcribe(`ev-${1_000 + at}`, { model: "whisper-large-v3", user_id: `user-${100 + (at % 7)}` })
    ),
    ...Array.from({ length: 5 }, (_, at) => stage.process(`ev-${2_000 + at}`, { user_id: "user-4711" })),
    ...Array.from({ length: 4 }, (_, at) => stage.transcribe(`ev-${3_000 + at}`, { user_id: "user-800" })),
    ...Array.from({ length: 120 }, (_, at) => stage.process(`ev-${4_000 + at}`, { user_id: `user-${at % 40}` })),
    stage.configures([7, model(2.5)], [8, model(250)], [9, model(2.5)])
  ])
  await Promise.all([stage.abandoned(23), stage.waiting(4)])
  await stage.ask("/rules", { kind: "park", field: "user_id", value: "user-9", why: "looked into by support" })
  await stage.ask("/rules", { kind: "limit", rate: "200 per second", duration: "2h", why: "the API recovers" })
  const filters = { user: ["user-101"] }
  await stage.ask("/jobs", { action: "abandoned replay", filters, why: "whether it is mended" })
  // What they told first is of before they read.
  await stage.sees("both replicas at work", '"status":"degraded"', 2)
  await stage.abandoned(23)
})
afterAll(async () => {
  await browser?.close()
  await stage?.close()
})

const selection = "/failures?place=abandoned&error_code=HTTP_422"

/** The pages, and where several look alike, one of them. */
const pages: ReadonlyArray<readonly [name: string, path: string, status?: number]> = [
  ["overview", "/"],
  ["failures", "/failures"],
  ["failures-selected", `${selection}&by=user`],
  ["failures-dlq", "/failures?place=dlq"],
  ["preview", "/jobs/new?action=abandoned+replay&error_code=HTTP_422"],
  ["report", "/failures/report"],
  ["event", "/event?id=ev-1000&payload=shown"],
  ["event-none", "/event?id=nobody", 404],
  ["event-asked", "/event"],
  ["traffic", "/traffic"],
  ["jobs", "/jobs"],
  ["configuration", "/configuration"],
  ["audit", "/audit"],
  ["error", "/nowhere", 404]
]

it("are read by everybody: axe finds nothing, in light and dark and 400 px wide, and nothing goes wrong", async () => {
  const found: Array<string> = []
  const watched = await Watched.open(browser, stage.origin)
  const { page } = watched
  await page.goto("/sign-in")
  found.push(...(await watched.axe()).map((violation) => `sign-in: ${violation}`))
  await watched.signIn(actToken)
  const picture = async (name: string, of: string) => {
    if (pictures !== undefined && isPictured(name)) await page.screenshot({ path: join(pictures, `console-${of}.png`) })
  }
  for (const [name, path, status = 200] of pages) {
    const note = (of: string, violations: ReadonlyArray<string>) =>
      found.push(...violations.map((violation) => `${name}, ${of}: ${violation}`))
    await page.setViewportSize({ width: 1280, height: 1000 })
    await page.emulateMedia({ colorScheme: "light" })
    expect(await watched.goto(path), path).toBe(status)
    note("light", await watched.axe())
    await picture(name, name)
    await page.emulateMedia({ colorScheme: "dark" })
    note("dark", await watched.axe(["color-contrast"]))
    await picture(name, `${name}-dark`)
    await page.setViewportSize({ width: 400, height: 800 })
    if ((await watched.overflow) > 0) found.push(`${name}: wider than 400 px by ${await watched.overflow}`)
    note("narrow", await watched.axe(["target-size", "scrollable-region-focusable"]))
  }
  expect([...found, ...watched.problems]).toEqual([])
})

it("what would go wrong is noticed: a script in a page, a picture from elsewhere", async () => {
  const watched = await Watched.open(browser, stage.origin)
  await watched.signIn(actToken)
  await watched.page.evaluate(`document.body.append(Object.assign(document.createElement("script"), { text: "1" }))`)
  await watched.page.evaluate(`document.body.append(Object.assign(new Image(), { src: "http://127.0.0.1:1/x.png" }))`)
  await waitUntil("both are noticed", () => watched.problems.length >= 2)
  expect(watched.problems.join("\n")).toMatch(/script-src[\s\S]*img-src/)
  await watched.close()
})
