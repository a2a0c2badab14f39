import { setTimeout as sleep } from "node:timers/promises"
import { usersWithoutCredits } from "../gateway/events.ts"
import type { World } from "../world.ts"
import type { Screen } from "./screen.ts"
import type { Watch } from "./watch.ts"

/** What is played: events, and when what happens, in seconds after the first event. */
export interface Script {
  readonly events: number
  readonly rate: number
  readonly priceChangeAt: number
  readonly collectorKilledAt: number
  readonly apiKilledAt: number
  readonly apiDownFor: number
  /** When the user without credits buys some; in the short script nobody is without. */
  readonly topUpAt: number | undefined
  /** What is not done by then has failed. */
  readonly doneBy: number
}

export const scripts: Readonly<Record<"full" | "quick", Script>> = {
  full: {
    events: 1_600,
    rate: 40,
    priceChangeAt: 5,
    collectorKilledAt: 12,
    topUpAt: 22,
    apiKilledAt: 26,
    apiDownFor: 6,
    doneBy: 102
  },
  quick: {
    events: 450,
    rate: 50,
    priceChangeAt: 1,
    collectorKilledAt: 2,
    topUpAt: undefined,
    apiKilledAt: 8.5,
    apiDownFor: 1.5,
    doneBy: 60
  }
}

/** Plays a script on a running world; ends when every event has met its end, or fails saying what has not. */
export const play = async (world: World, watch: Watch, screen: Screen, script: Script): Promise<void> => {
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1_000
  const at = (second: number) => sleep(Math.max(0, (second - seconds()) * 1_000))

  screen.announce(`The gateway produces ${script.events} events, ${script.rate} a second.`)
  await world.gateway.produce({ count: script.events, rate: script.rate })

  const priceChange = async () => {
    await at(script.priceChangeAt)
    const { version } = await world.operator("PUT", "/models/gpt-4o/costs", { input: 3.5, output: 14 })
    screen.announce(`INCIDENT  The price of gpt-4o goes up: the API serves configuration version ${version}.`)
    const changed = seconds()
    while (watch.figures.version !== version && seconds() < script.doneBy) await sleep(50)
    if (watch.figures.version !== version) return
    screen.announce(
      `          The gateway runs version ${version} after ${(seconds() - changed).toFixed(1)} s: files written, SIGHUP, reloaded.`
    )
  }
  const killCollector = async () => {
    await at(script.collectorKilledAt)
    const { pending } = await world.streams.backlog()
    world.collector.signal("SIGKILL")
    await world.collector.ended
    screen.announce(`INCIDENT  The collector is killed (SIGKILL), ${pending} events in its hands.`)
    await world.startCollector()
    screen.announce(
      `          A new collector (pid ${world.collector.pid}) starts, and takes up what the old one left.`
    )
  }
  const topUp = async () => {
    if (script.topUpAt === undefined) return
    await at(script.topUpAt)
    const user = usersWithoutCredits[0]
    await world.operator("POST", `/users/${user}/credits`, { credits: 1_000_000 })
    screen.announce(`          ${user} buys credits: refused jobs go through on their next retry.`)
  }
  const killApi = async () => {
    await at(script.apiKilledAt)
    world.api.child.signal("SIGKILL")
    await world.api.child.ended
    screen.announce(`INCIDENT  The jobs API goes down for ${script.apiDownFor} s.`)
    await at(script.apiKilledAt + script.apiDownFor)
    await world.startApi()
    screen.announce("          The jobs API is back.")
  }
  await Promise.all([priceChange(), killCollector().then(killApi), topUp()])

  const finished = async () => {
    const status = await world.gateway.status()
    const { dlq, lag, pending } = await world.streams.backlog()
    return !status.busy && lag + pending + dlq === 0
  }
  await at(script.events / script.rate)
  const { inDlq } = watch.figures
  if (inDlq > 0) {
    screen.announce(`All events are produced; ${inDlq} wait for a retry (5 s, 15 s, 45 s, then they are abandoned).`)
  }
  while (!(await finished()) && seconds() < script.doneBy) await sleep(100)
}
