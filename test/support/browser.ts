/** Debian's Chromium, driven by Playwright: pages that note whatever goes wrong in them, and are looked at by axe. */

import axe from "axe-core"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"
import { ensureProgram } from "./debian-program.ts"

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: ensureProgram(["chromium", "chromium-browser", "google-chrome"], "chromium"),
    // A container has neither the user namespaces of the sandbox nor much shared memory.
    args: ["--no-sandbox", "--disable-dev-shm-usage"]
  })

/** A page of the console, and what a browser found wrong while it was shown. */
export class Watched {
  readonly page: Page
  /** Errors of the console and of scripts, requests to elsewhere, dialogs that nobody awaited. */
  readonly problems: Array<string> = []
  /** The question that a dialog asked last; it is answered with yes where it was awaited. */
  asked: string | undefined
  awaitsQuestion = false

  private constructor(page: Page, origin: string) {
    this.page = page
    page.setDefaultTimeout(20_000)
    page.on("console", (message) => {
      // A page of an error is one: its status is looked at by whoever opens it.
      if (message.type() === "error" && !/^Failed to load resource: .* status of 4\d\d /.test(message.text()))
        this.problems.push(`console: ${message.text()}`)
    })
    page.on("pageerror", (error) => this.problems.push(`script: ${error.message}`))
    page.on("request", (request) => {
      if (new URL(request.url()).origin !== origin) this.problems.push(`asked elsewhere: ${request.url()}`)
    })
    page.on("response", (response) => {
      if (response.status() >= 500) this.problems.push(`${response.status()}: ${response.url()}`)
      if (!response.headers()["content-security-policy"]?.startsWith("default-src 'none'; script-src 'self';"))
        this.problems.push(`no policy: ${response.url()}`)
    })
    page.on("dialog", (dialog) => {
      this.asked = dialog.message()
      if (!this.awaitsQuestion) this.problems.push(`dialog: ${dialog.message()}`)
      void (this.awaitsQuestion ? dialog.accept() : dialog.dismiss())
      this.awaitsQuestion = false
    })
  }

  /** In a context of its own: without the cookies of others. */
  static async open(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Watched> {
    const context = await browser.newContext({
      baseURL: origin,
      viewport: { width: 1280, height: 800 },
      reducedMotion: "reduce",
      ...options
    })
    return new Watched(await context.newPage(), origin)
  }

  /** Opens a path: the status with which it was answered. */
  async goto(path: string): Promise<number> {
    return (await this.page.goto(path))?.status() ?? 0
  }

  async signIn(token: string): Promise<void> {
    await this.page.goto("/sign-in")
    await this.page.locator("[name=token]").fill(token)
    await this.page.keyboard.press("Enter")
    await this.page.locator("#verdict").waitFor()
  }

  /** What axe has to say of the page as it is shown: each violation with what it was found at. */
  async axe(rules?: ReadonlyArray<string>): Promise<ReadonlyArray<string>> {
    const options =
      rules === undefined
        ? { resultTypes: ["violations"], rules: { "target-size": { enabled: true } } }
        : { resultTypes: ["violations"], runOnly: { type: "rule", values: rules } }
    await this.page.evaluate(`if (typeof axe === "undefined") { ${axe.source} }`)
    const { violations } = await this.page.evaluate<{
      violations: ReadonlyArray<{ id: string; help: string; nodes: ReadonlyArray<{ html: string }> }>
    }>(`axe.run(document, ${JSON.stringify(options)})`)
    return violations.map(({ help, id, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(" | ")}`)
  }

  /** By how much the page is wider than its window. */
  get overflow(): Promise<number> {
    return this.page.evaluate<number>("document.documentElement.scrollWidth - innerWidth")
  }

  close(): Promise<void> {
    return this.page.context().close()
  }
}
