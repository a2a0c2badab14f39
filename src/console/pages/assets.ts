/** Style, script and icon: addresses carry a hash of what they hold, so they are kept for long. */
import { Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { icon } from "../assets/icon.ts"
import { script } from "../assets/script.ts"
import { style } from "../assets/style.ts"

const asset = (path: `/${string}`, text: string, contentType: string) =>
  HttpRouter.add(
    "GET",
    path,
    HttpServerResponse.text(text, { contentType, headers: { "cache-control": "public, max-age=86400" } })
  )

export const routes = Layer.mergeAll(
  asset("/assets/console.css", style, "text/css; charset=utf-8"),
  asset("/assets/console.js", script, "text/javascript; charset=utf-8"),
  asset("/assets/icon.svg", icon, "image/svg+xml")
)
