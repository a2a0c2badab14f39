import type { WriteStream } from "node:tty"
import { stripVTControlCharacters, styleText } from "node:util"
import type { Ledger } from "../audit.ts"

/** What the demo shows while it runs. */
export interface Progress {
  readonly processes: ReadonlyArray<{ readonly name: string; readonly state: string; readonly up: boolean }>
  /** Events ordered; undefined where there is no end. */
  readonly planned: number | undefined
  readonly events: number
  readonly delivered: number
  readonly retried: number
  readonly abandoned: number
  /** Read or not, but not ended yet. */
  readonly waiting: number
  readonly inDlq: number
  readonly credits: number
  readonly version: number | undefined
}

const PLAIN_EVERY_MS = 5_000
const BAR = 30

const n = (count: number) => count.toLocaleString("en-US")

/** Text in lines of a width, broken between words. */
const wrapped = (text: string, width: number): ReadonlyArray<string> =>
  text.split(" ").reduce<Array<string>>((lines, word) => {
    const last = lines.at(-1)
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = `${last} ${word}`
    return lines
  }, [])

/** A live block of lines on a terminal; plain lines where the output is a pipe or a file. */
export class Screen {
  private readonly out: WriteStream
  private readonly live: boolean
  private readonly started = performance.now()
  private drawn = 0
  private saidAt = Number.NEGATIVE_INFINITY

  constructor(out: WriteStream) {
    this.out = out
    this.live = out.isTTY === true
    if (this.live) out.write("\x1b[?25l")
  }

  private clock(): string {
    const seconds = (performance.now() - this.started) / 1_000
    return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`
  }

  private style(format: Parameters<typeof styleText>[0], text: string): string {
    return styleText(format, text, { stream: this.out })
  }

  private cut(line: string): string {
    const columns = this.out.columns ?? 80
    const plain = stripVTControlCharacters(line)
    return plain.length < columns ? line : `${plain.slice(0, columns - 2)}…`
  }

  private clear(): void {
    if (this.drawn > 0) this.out.write(`\x1b[${this.drawn}A\x1b[0J`)
    this.drawn = 0
  }

  /** Something happened: stays on the screen. */
  announce(text: string): void {
    this.clear()
    const clock = this.clock()
    const [first = "", ...more] = wrapped(text, (this.out.columns ?? 80) - clock.length - 3)
    const below = more.map((line) => `${" ".repeat(clock.length)}  ${line}\n`)
    this.out.write(`${this.style("dim", clock)}  ${first}\n${below.join("")}`)
  }

  /** Where things stand: redrawn on a terminal, a line every few seconds elsewhere. */
  show(progress: Progress): void {
    if (this.live) {
      const lines = this.block(progress).map((line) => this.cut(line))
      this.clear()
      this.out.write(`${lines.join("\n")}\n`)
      this.drawn = lines.length
      return
    }
    if (performance.now() - this.saidAt < PLAIN_EVERY_MS) return
    this.saidAt = performance.now()
    const { abandoned, credits, delivered, events, retried, version, waiting } = progress
    this.out.write(
      `${this.clock()}  events ${n(events)} · delivered ${n(delivered)} · waiting ${n(waiting)} · retried ${n(retried)} · ` +
        `abandoned ${n(abandoned)} · credits ${n(credits)} · config version ${version ?? "–"}\n`
    )
  }

  private block(progress: Progress): ReadonlyArray<string> {
    const { abandoned, credits, delivered, events, inDlq, planned, retried, version, waiting } = progress
    const ended = delivered + abandoned
    const share = planned === undefined ? undefined : Math.min(1, ended / planned)
    const full = Math.round((share ?? 0) * BAR)
    const bar =
      share === undefined
        ? ""
        : `${this.style("green", "█".repeat(full))}${"░".repeat(BAR - full)} ${Math.floor(share * 100)} %`
    const figure = (name: string, value: string) => `${name.padEnd(11)}${this.style("bold", value.padStart(9))}   `
    return [
      "",
      ...progress.processes.map(
        ({ name, state, up }) =>
          `  ${up ? this.style("green", "●") : this.style("red", "○")} ${name.padEnd(16)} ${state}`
      ),
      "",
      `  ${figure("events", n(events))}${figure("delivered", n(delivered))}${bar}`,
      `  ${figure("waiting", n(waiting))}${figure("retried", n(retried))}${figure("abandoned", n(abandoned))}`,
      `  ${figure("in the DLQ", n(inDlq))}${figure("credits", n(credits))}${figure("config", version === undefined ? "–" : `v${version}`)}`,
      ""
    ]
  }

  /** The ledger, at the end. */
  ledger(ledger: Ledger): void {
    this.clear()
    const widest = Math.max(...ledger.lines.map(({ what }) => what.length))
    const reasons = Object.entries(ledger.abandoned).map(([reason, count]) => `${count} ${reason}`)
    this.out.write(
      [
        "",
        "Ledger",
        ...ledger.lines.map(
          ({ what, figures, balanced }) =>
            `  ${balanced ? this.style("green", "✓") : this.style("red", "✗")} ${what.padEnd(widest)}   ${figures}`
        ),
        `  abandoned: ${reasons.length === 0 ? "none" : reasons.join(", ")}`,
        "",
        ledger.balanced
          ? this.style("green", "The ledger balances.")
          : this.style("red", "The ledger does NOT balance."),
        ""
      ].join("\n")
    )
  }

  /** Gives the terminal back. */
  close(): void {
    this.clear()
    if (this.live) this.out.write("\x1b[?25h")
  }
}
