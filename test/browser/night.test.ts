/** Called at three in the morning: from the overview to the replayed selection, with the keyboard alone. And who may not. */
import type { Browser } from "playwright-core"
import { afterAll, beforeAll, expect, it } from "vitest"
import { openBrowser, Watched } from "../support/browser.ts"
import { actToken, readToken, Stage } from "./stage.ts"

const failed = 24
const others = 3

let browser: Browser
let stage: Stage
let mended = false

beforeAll(async () => {
  ;[browser, stage] = await Promise.all([openBrowser(), Stage.open()])
  stage.answers(({ body }) => {
    if (mended) return undefined
    if (body.model === "whisper-2")
      return { status: 422, body: { error_code: "UNKNOWN_MODEL", error_message: "whisper-2 is not offered" } }
    if (body.model === "whisper-0") return { status: 400, body: { error_code: "GONE", error_message: "no longer" } }
    return undefined
  })
  await Promise.all([
    ...Array.from({ length: failed }, (_, at) => stage.transcribe(`night-${at}`, { model: "whisper-2" })),
    ...Array.from({ length: others }, (_, at) => stage.transcribe(`old-${at}`, { model: "whisper-0" }))
  ])
  await stage.abandoned(failed + others)
})
afterAll(async () => {
  await browser?.close()
  await stage?.close()
})

it("with the keyboard alone: the largest group of errors is found, previewed, replayed and gone", async ({
  annotate
}) => {
  const watched = await Watched.open(browser, stage.origin)
  const { page } = watched
  const steps: Array<string> = []
  const press = async (...keys: ReadonlyArray<string>) => {
    for (const key of keys) await page.keyboard.press(key)
    steps.push(keys.join(" "))
  }
  const type = async (text: string, said: string) => {
    await page.keyboard.type(text)
    steps.push(said)
  }
  await page.goto("/")
  const began = performance.now()
  await type(actToken, "the token")
  await press("Enter")
  await page.locator("#verdict", { hasText: `${failed + others} events lie abandoned` }).waitFor()
  mended = true
  await press("g", "f")
  await page.locator("#matched", { hasText: `${failed + others} entries` }).waitFor()
  await press("j")
  await press("Enter")
  await page.locator("#chips", { hasText: "UNKNOWN_MODEL" }).waitFor()
  expect((await page.locator("#matched").textContent())?.trim()).toBe(`${failed} entries of ${failed + others}.`)
  await press("r")
  await page.locator("main", { hasText: `${failed} events of ${failed} matching entries` }).waitFor()
  await type("the API has the model again", "why")
  watched.awaitsQuestion = true
  await press("Enter")
  await page.locator("[data-live]", { hasText: `${failed} of ${failed}` }).waitFor()
  expect(watched.asked).toBe(`Replay, ${failed} events at most?`)
  await press("g", "o")
  await page.locator("#figure-abandoned", { hasText: String(others) }).waitFor()
  await stage.abandoned(others)
  const seconds = (performance.now() - began) / 1_000
  await press("g", "a")
  await page.locator("tbody", { hasText: "the API has the model again" }).waitFor()
  expect(await page.locator("tbody > tr").first().textContent()).toMatch(/bob[\s\S]*abandoned replay[\s\S]*24/)
  expect(stage.scene.api.charges.size).toBe(failed)
  expect(steps.length).toBeLessThanOrEqual(12)
  expect(watched.problems).toEqual([])
  await annotate(`${steps.length} steps, ${seconds.toFixed(1)} s: ${steps.join(", ")}`)
  await watched.close()
})

it("the figures follow without a hand, and do not take away what somebody is at", async () => {
  const watched = await Watched.open(browser, stage.origin)
  const { page } = watched
  await watched.signIn(readToken)
  const figure = page.locator("#figure-abandoned .value")
  const before = Number(await figure.textContent())
  mended = false
  await stage.transcribe("live-1", { model: "whisper-2" })
  await page.locator("#figure-abandoned .value", { hasText: String(before + 1) }).waitFor()
  await figure.locator("a").focus()
  await stage.transcribe("live-2", { model: "whisper-2" })
  await stage.abandoned(before + 2)
  await page.waitForResponse((response) => response.url() === `${stage.origin}/`)
  expect(await page.evaluate("document.activeElement.closest('#figure-abandoned') !== null")).toBe(true)
  expect(watched.problems).toEqual([])
  await watched.close()
})

it("a wrong token is told so; one that may read acts nowhere, and sees nothing to act with", async () => {
  const watched = await Watched.open(browser, stage.origin)
  const { page } = watched
  await page.goto("/failures?user=user-1")
  expect(new URL(page.url()).pathname).toBe("/sign-in")
  await page.keyboard.type("nobody-has-this-token-0")
  await page.keyboard.press("Enter")
  await page.getByRole("alert").waitFor()
  await page.locator("[name=token]").fill(readToken)
  await page.keyboard.press("Enter")
  await page.locator("#matched").waitFor()
  expect(new URL(page.url()).search, "where one was going").toBe("?user=user-1")
  for (const path of ["/failures?user=user-1", "/traffic", "/jobs", "/configuration", "/event?id=live-1"]) {
    await page.goto(path)
    expect(await page.locator("form[method=post]:not([action='/sign-out'])").count(), path).toBe(0)
    expect(await page.locator("a[href^='/jobs/new'], input[type=checkbox]").count(), path).toBe(0)
  }
  expect(await watched.goto("/jobs/new?action=abandoned+drop&user=user-1")).toBe(403)
  expect(await page.locator("nav[aria-label=Pages] a").count(), "the way back").toBe(7)
  const refused = await page.evaluate<number>(
    `fetch("/traffic/set", { method: "POST", body: new URLSearchParams({ kind: "pause" }) }).then(({ status }) => status)`
  )
  expect(refused).toBe(403)
  await page.goto("/")
  await page.getByRole("button", { name: "Sign out" }).click()
  await page.locator("[name=token]").waitFor()
  expect(await watched.goto("/")).toBe(200)
  expect(new URL(page.url()).pathname).toBe("/sign-in")
  expect(watched.problems).toEqual([])
  await watched.close()
})
