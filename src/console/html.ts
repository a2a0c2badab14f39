/** Pages as text. What is put into a template is escaped; only templates themselves are not. */
import { printable } from "../domain/text/printable.ts"

/** Markup of our own. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Content = Html | string | number | undefined | ReadonlyArray<Content>

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;"
}

/** Text that others wrote, fit for an element and for an attribute in quotes. */
const escaped = (text: string): string => printable(text).replace(/[&<>"'`]/g, (character) => entities[character] ?? "")

const shown = (content: Content): string => {
  if (content instanceof Html) return content.text
  if (content === undefined) return ""
  return typeof content === "string" || typeof content === "number"
    ? escaped(String(content))
    : content.map(shown).join("")
}

/** Values stand in elements or in attributes with quotes, never in a script, a style or an attribute's name. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Content>): Html =>
  new Html(parts.map((part, at) => (at === 0 ? part : shown(values[at - 1]) + part)).join(""))

/** Text of several lines, as it stands in a `pre`: within a line what steers a screen is still shown as an escape. */
export const linesOf = (text: string): Html => new Html(text.split("\n").map(escaped).join("\n"))
