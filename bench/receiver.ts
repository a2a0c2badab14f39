/** A jobs API that verifies nothing: it answers and counts. Its own process, so that its cost is nobody's. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type FromReceiver, nowMicros, type ReceiverConfig, sentAtOf, type ToReceiver } from "./protocol.ts"

const say = (message: FromReceiver) => process.send?.(message)

const config: ReceiverConfig = JSON.parse(process.env.BENCH_RECEIVER ?? "{}")
const { delayMs = 0, holdsBack = false, watches = false } = config

let count = 0
let target = holdsBack ? 0 : Number.POSITIVE_INFINITY

const announce = () => {
  if (count < target) return
  if (!holdsBack) target = Number.POSITIVE_INFINITY
  say({ _tag: "Reached" })
}

/** Requests that are not answered before more are asked for. */
const heldBack: Array<ServerResponse> = []

const answer = (response: ServerResponse) => {
  count++
  const body = `{"job_id":"job-${count}","credits_deducted":58}`
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length })
  response.end(body)
  announce()
}

const keys = new Set<string>()
const seen = { requests: 0, repeated: 0, latencies: [] as Array<number> }

const watch = (key: string) => {
  seen.requests++
  const sentAt = sentAtOf(key)
  if (sentAt !== undefined) seen.latencies.push(nowMicros() - sentAt)
  if (keys.has(key)) seen.repeated++
  else keys.add(key)
}

const server = createServer((request, response) => {
  if (watches) watch(String(request.headers["idempotency-key"]))
  request.resume()
  request.on("end", () => {
    if (count >= target && holdsBack) heldBack.push(response)
    else if (delayMs > 0) setTimeout(answer, delayMs, response)
    else answer(response)
  })
})

process.on("message", (next: ToReceiver) => {
  if (next === "seen") {
    say({ _tag: "Seen", ...seen })
    seen.latencies = []
    return
  }
  target = next
  if (holdsBack) for (const response of heldBack.splice(0, target - count)) answer(response)
  else announce()
})
process.on("disconnect", () => process.exit(0))
server.listen(0, "127.0.0.1", () => say({ _tag: "Listening", port: (server.address() as AddressInfo).port }))
