/** What all pages have around them. */
import { createHash } from "node:crypto"
import { HttpServerResponse } from "effect/http"
import { version } from "../../layers/node/Host.ts"
import type { Visitor } from "../access.ts"
import { script } from "../assets/script.ts"
import { style } from "../assets/style.ts"
import { type Html, html } from "../html.ts"

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 12)

const styleUrl = `/assets/console.css?v=${hashOf(style)}`
const scriptUrl = `/assets/console.js?v=${hashOf(script)}`

const sections = [
  { path: "/", title: "Overview" },
  { path: "/failures", title: "Failures" },
  { path: "/event", title: "Event" },
  { path: "/traffic", title: "Traffic" },
  { path: "/jobs", title: "Jobs" },
  { path: "/configuration", title: "Configuration" },
  { path: "/audit", title: "Audit" }
] as const

export interface Page {
  readonly title: string
  /** Undefined where it is not known who looks. */
  readonly visitor: Visitor | undefined
  readonly current: (typeof sections)[number]["path"] | undefined
}

/** The field that a form of a session carries. */
export const antiForgery = (visitor: Visitor | undefined): Html =>
  visitor?.antiForgery === undefined
    ? html``
    : html`<input type="hidden" name="anti_forgery" value="${visitor.antiForgery}">`

const who = (visitor: Visitor): Html =>
  visitor.by === "session"
    ? html`<form method="post" action="/sign-out">${antiForgery(visitor)}<span>${visitor.name} (may ${visitor.role})</span>
<button>Sign out</button></form>`
    : html`<span>${visitor.name ?? "no token: reading only"}</span>`

export const page = (
  { current, title, visitor }: Page,
  body: Html,
  status = 200
): HttpServerResponse.HttpServerResponse => {
  const links = sections.map(
    ({ path, title }) =>
      html`<a href="${path}"${path === current ? html` aria-current="page"` : undefined}>${title}</a>`
  )
  const whole = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · job-collector</title><link rel="icon" href="/assets/icon.svg"><link rel="stylesheet" href="${styleUrl}">
<script type="module" src="${scriptUrl}"></script></head>
<body><a class="skip" href="#main">Skip to the content</a>
<header><strong>job-collector</strong>${visitor === undefined ? undefined : html`<nav aria-label="Pages">${links}</nav><div class="who">${who(visitor)}</div>`}</header>
<main id="main" tabindex="-1">${body}</main>
<footer>job-collector ${version} · <kbd>?</kbd> shows the keys</footer></body></html>
`
  return HttpServerResponse.text(whole.text, { status, contentType: "text/html; charset=utf-8" })
}
