/** Small charts as SVG, drawn on the server. Only attributes that the Content-Security-Policy allows: no style of its own. */
import { type Html, html } from "../html.ts"

const width = 240
const height = 36

/** Values in their order as an area with a line on top; what it says stands beside it, and is read out. */
export const sparkline = (values: ReadonlyArray<number>, said: string): Html => {
  const most = Math.max(0, ...values)
  const step = width / Math.max(1, values.length - 1)
  const x = (at: number) => (at * step).toFixed(1)
  const y = (value: number) => (height - 1 - (most === 0 ? 0 : (value / most) * (height - 3))).toFixed(1)
  const line = values.map((value, at) => `${x(at)},${y(value)}`).join(" ")
  return html`<svg class="spark" viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" role="img" aria-label="${said}"><polygon points="0,${height} ${line} ${width},${height}"/><polyline points="${line}"/></svg>`
}
