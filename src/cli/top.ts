/** `job-collector top`: all replicas and streams at a glance, again every second (contract section 1). */
import { Clock, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { type Glance, glance } from "../programs/operator/glance.ts"
import type { EventStreamsError } from "../services/EventStreamsError.ts"
import { firstStream } from "./audited.ts"
import { json } from "./flags.ts"
import { type Operated, operating } from "./operator.ts"
import { printJson, printStyled } from "./output.ts"
import { red, Screen } from "./screen.ts"
import { keyPressed, liveScreen } from "./terminal.ts"
import { frameOf } from "./topFrame.ts"

const everyMs = 1_000
/** Rates are those of so many looks. */
const rateOver = 5

const once = Flag.Boolean("once").pipe(
  Flag.withDescription("Print one frame and end, as it does where there is no terminal"),
  Flag.withDefault(false)
)

const looking = ({ group, sets, streams }: Operated) => {
  const glanced = { observed: { streams, stream: firstStream({ sets }), group }, sets }
  return (before?: Glance): Effect.Effect<Glance, EventStreamsError> => glance(glanced, before)
}

/** Two looks, so that it is known what comes in. */
const oneLook = Effect.fnUntraced(function* (operated: Operated) {
  const look = looking(operated)
  const first = yield* look()
  yield* Effect.sleep(everyMs)
  return yield* look(first)
})

/** Frame after frame, until `q`, Escape or Ctrl-C. A Redis that is away says so where the figures were. */
const live = Effect.fnUntraced(function* (operated: Operated) {
  const look = looking(operated)
  const terminal = yield* liveScreen
  let looks: ReadonlyArray<Glance> = []
  const frame = Effect.gen(function* () {
    const asked = yield* Clock.currentTimeMillis
    const seen = yield* Effect.result(look(looks[0]))
    const { rows, screen } = terminal.size()
    if (seen._tag === "Success") {
      looks = [...looks.slice(1 - rateOver), seen.success]
      yield* terminal.draw(frameOf(seen.success, screen, rows))
    } else {
      const last = looks.at(-1)
      const frame = last === undefined ? [] : frameOf(last, screen, rows - 1)
      yield* terminal.draw([red(`Redis: ${seen.failure.message}`.slice(0, screen.columns), screen), ...frame])
    }
    yield* Effect.sleep(Math.max(0, asked + everyMs - (yield* Clock.currentTimeMillis)))
  })
  yield* Effect.raceFirst(Effect.forever(frame), keyPressed(["q", "Q", "\u001b", "\u0003"]))
}, Effect.scoped)

export const top = Command.make("top", { once, json }, (given) =>
  operating(
    Effect.fnUntraced(function* (operated) {
      const screen = yield* Screen
      if (given.json) return yield* printJson(yield* oneLook(operated))
      if (!given.once && screen.canAsk && screen.rewrites) return yield* live(operated)
      return yield* printStyled(frameOf(yield* oneLook(operated), screen, undefined))
    })
  )
)
