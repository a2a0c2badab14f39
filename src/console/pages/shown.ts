/** Figures and times as the pages show them. */
import { instant } from "../../domain/events/instant.ts"
import { cut } from "../../domain/text/printable.ts"
import { longSpan, shortSpan } from "../../domain/text/relativeTime.ts"
import { type Html, html } from "../html.ts"

const grouped = new Intl.NumberFormat("en-US")

export const counted = (count: number): string => grouped.format(count)

export const plural = (count: number, one: string, several = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : several}`

/** A time as how long ago, or how long still; the instant itself beside it. */
export const time = (at: number, now: number): Html => {
  const said = at > now ? `in ${longSpan(at - now)}` : `${shortSpan(now - at)} ago`
  return html`<time datetime="${instant(at)}" title="${instant(at)}">${said}</time>`
}

/** So many a second; undefined is not known yet. */
export const rate = (perSecond: number | undefined): string => {
  if (perSecond === undefined) return "–"
  return perSecond >= 100 || perSecond === 0 ? counted(Math.round(perSecond)) : perSecond.toFixed(1)
}

export const bytes = (count: number): string => {
  const [unit, size] = count >= 2 ** 30 ? ["GiB", 2 ** 30] : ["MiB", 2 ** 20]
  return `${(count / Number(size)).toFixed(1)} ${unit}`
}

/** So much of a text that others wrote is shown where there is little room. */
const mostShown = 300

export const short = (text: string): string => cut(text, mostShown)
