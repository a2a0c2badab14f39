/** Tables, all of one make: a heading that names them, and room to scroll where the screen is narrow. */
import { type Content, type Html, html } from "../html.ts"

/** A column's title; in brackets where it is of numbers. */
export type Heading = string | readonly [ofNumbers: string]

export interface Table {
  /** Unique in its page: of the heading. */
  readonly id: string
  readonly title: string
  readonly head: ReadonlyArray<Heading | Html>
  /** Whether the keys go through its rows. */
  readonly hasKeys?: boolean
}

const heading = (title: Heading | Html): Html => {
  if (typeof title === "string") return html`<th scope="col">${title}</th>`
  return "text" in title ? html`<th scope="col">${title}</th>` : html`<th scope="col" class="number">${title[0]}</th>`
}

/** The rows without the heading above, which stands elsewhere. */
export const bareTable = ({ hasKeys = false, head, id }: Omit<Table, "title">, rows: ReadonlyArray<Content>): Html =>
  html`<div class="scroll" role="region" aria-labelledby="${id}" tabindex="0"><table><thead><tr>${head.map(heading)}</tr></thead><tbody${hasKeys ? html` data-rows` : undefined}>${rows}</tbody></table></div>`

export const table = (about: Table, rows: ReadonlyArray<Content>): Html =>
  html`<h2 id="${about.id}">${about.title}</h2>${bareTable(about, rows)}`
