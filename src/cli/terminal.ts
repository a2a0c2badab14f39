/** A terminal as a screen that is drawn again and again, and its keys. */
import { Effect, type Scope } from "effect"
import { Screen } from "./screen.ts"

export interface LiveScreen {
  /** As it is now: a window may be made larger or smaller. */
  readonly size: () => { readonly rows: number; readonly screen: Screen }
  readonly draw: (lines: ReadonlyArray<string>) => Effect.Effect<void>
}

const home = "\u001b[H"
const restOfLine = "\u001b[K"
const restOfScreen = "\u001b[J"
/** The other screen, without a cursor; leaving it brings back what was there. */
const enter = "\u001b[?1049h\u001b[?25l"
const leave = "\u001b[?25h\u001b[?1049l"

/** Takes the terminal's screen for as long as the scope lasts. */
export const liveScreen: Effect.Effect<LiveScreen, never, Scope.Scope> = Effect.gen(function* () {
  const screen = yield* Screen
  const { stdout } = process
  yield* Effect.acquireRelease(
    Effect.sync(() => stdout.write(enter)),
    () => Effect.sync(() => stdout.write(leave))
  )
  return {
    size: () => ({ rows: stdout.rows || 24, screen: { ...screen, columns: stdout.columns || 80 } }),
    draw: (lines) =>
      Effect.sync(() => {
        stdout.write(`${home}${lines.map((line) => `${line}${restOfLine}`).join("\r\n")}${restOfScreen}`)
      })
  }
})

/** Waits for one of these keys. They are read as they are pressed, and are not shown. */
export const keyPressed = (keys: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { stdin } = process
    let pressed = () => {}
    const heard = (data: Buffer) => {
      if (keys.includes(data.toString())) pressed()
    }
    stdin.setRawMode(true)
    stdin.on("data", heard)
    const quiet = Effect.sync(() => {
      stdin.off("data", heard)
      stdin.setRawMode(false)
      stdin.pause()
    })
    return Effect.callback<void>((resume) => {
      pressed = () => resume(Effect.void)
    }).pipe(Effect.ensuring(quiet))
  })
