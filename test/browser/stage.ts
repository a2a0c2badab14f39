/** A console as it stands at night: a real Redis, two replicas of the built command, and an API that has its moods. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Counted, hourOf, minuteField } from "../../src/domain/replicas/minutes.ts"
import { minutesKey } from "../../src/services/EventStreams.ts"
import { bundleOf } from "../gatewayConfig/support/bundles.ts"
import { Scene } from "../process/scene.ts"
import type { CollectorProcess } from "../support/collector-process.ts"
import { processFields, transcribeFields } from "../support/events.ts"
import type { Answer, ReceivedRequest } from "../support/receiving-api.ts"
import { RedisServer, waitUntil } from "../support/redis-server.ts"
import { abandoned, dlq, group, processing, transcribe } from "../support/streams.ts"

export const readToken = "reads-but-changes-nothing-1"
export const actToken = "acts-when-it-must-at-3am-1"

/** Where a process serves its console. */
export const addressOf = async (collector: CollectorProcess): Promise<string> => {
  await collector.logs("console.listening")
  const [, address] = /"address":"([^"]+)"/.exec(collector.logged("console.listening")[0] ?? "") ?? []
  if (address === undefined) throw new Error("the console does not say where it listens")
  return address
}

export class Stage {
  readonly scene: Scene
  readonly origin: string
  readonly folder: string

  private constructor(scene: Scene, origin: string, folder: string) {
    this.scene = scene
    this.origin = origin
    this.folder = folder
  }

  static async open(): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), "job-collector-console-"))
    const readFile = join(folder, "read")
    const actFile = join(folder, "act")
    writeFileSync(readFile, `anna:${readToken}\n`, { mode: 0o600 })
    writeFileSync(actFile, `bob:${actToken}\n`, { mode: 0o600 })
    const tokens = { CONSOLE_READ_TOKEN_FILE: readFile, CONSOLE_ACT_TOKEN_FILE: actFile }
    const scene = await Scene.withRedis(await RedisServer.start(["--maxmemory", "256mb"]))
    scene.api.keep = true
    const first = scene.start({
      ...tokens,
      CONSOLE: "on",
      CONSOLE_PORT: "0",
      CONFIG_SYNC: "on",
      CONFIG_SYNC_INTERVAL: "200 millis",
      CONFIG_DIR: join(folder, "config")
    })
    const second = scene.start()
    await Promise.all([first.collecting(), second.collecting()])
    return new Stage(scene, await addressOf(first), folder)
  }

  /** How the API answers those events, until it is told otherwise. */
  answers(of: (request: ReceivedRequest) => Answer | undefined): void {
    this.scene.api.answer = of
  }

  async add(stream: string, fields: ReadonlyArray<string>): Promise<void> {
    await this.scene.call("XADD", stream, "*", ...fields)
  }

  async transcribe(id: string, more: Record<string, string> = {}): Promise<void> {
    await this.add(transcribe, transcribeFields(id, Date.now(), more))
  }

  async process(id: string, more: Record<string, string> = {}): Promise<void> {
    await this.add(processing, processFields(id, Date.now(), more))
  }

  async lengthOf(stream: string): Promise<number> {
    return Number(await this.scene.call("XLEN", stream))
  }

  abandoned(count: number): Promise<void> {
    return waitUntil(`${count} are abandoned`, async () => (await this.lengthOf(abandoned)) === count, 40_000)
  }

  waiting(count: number): Promise<void> {
    return waitUntil(`${count} wait in the DLQ`, async () => (await this.lengthOf(dlq)) >= count, 40_000)
  }

  /** Counts for minutes that passed before the stage was opened, as replicas count them. */
  async counted(minutesAgo: number, counts: Partial<Record<Counted, number>>): Promise<void> {
    const at = Date.now() - minutesAgo * 60_000
    const key = minutesKey(transcribe, group, hourOf(at))
    for (const [what, count] of Object.entries(counts))
      await this.scene.call("HINCRBY", key, minuteField(at, "transcribe", what as Counted), String(count))
  }

  /** Installs versions, one after the other. */
  async configures(...versions: ReadonlyArray<Parameters<typeof bundleOf>>): Promise<void> {
    const [service] = this.scene.collectors
    for (const [at, bundle] of versions.entries()) {
      this.scene.api.answerPoll = () => ({ status: 200, body: bundleOf(...bundle) })
      await service?.logs("config.changed", at + 1)
    }
  }

  /** Asks the API as a program does, with the token that acts. */
  async ask(path: string, body: unknown): Promise<unknown> {
    const headers = { authorization: `Bearer ${actToken}`, "content-type": "application/json" }
    const answer = await fetch(`${this.origin}/api/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
    return answer.json()
  }

  /** Waits until the overview has a text so often. */
  sees(what: string, text: string, times: number): Promise<void> {
    const headers = { authorization: `Bearer ${actToken}` }
    return waitUntil(what, async () => {
      const overview = await fetch(`${this.origin}/api/v1/overview`, { headers })
      return (await overview.text()).split(text).length > times
    })
  }

  async close(): Promise<void> {
    await this.scene.close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
