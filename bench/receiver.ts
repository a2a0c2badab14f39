/** A jobs API that verifies nothing: it answers and counts. Its own process, so that its cost is nobody's. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { FromReceiver, ToReceiver } from "./protocol.ts"

const say = (message: FromReceiver) => process.send?.(message)

let count = 0
let target = Number.POSITIVE_INFINITY

const announce = () => {
  if (count < target) return
  target = Number.POSITIVE_INFINITY
  say({ _tag: "Reached" })
}

const server = createServer((request, response) => {
  request.resume()
  request.on("end", () => {
    count++
    const body = `{"job_id":"job-${count}","credits_deducted":58}`
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length })
    response.end(body)
    announce()
  })
})

process.on("message", (next: ToReceiver) => {
  target = next
  announce()
})
process.on("disconnect", () => process.exit(0))
server.listen(0, "127.0.0.1", () => say({ _tag: "Listening", port: (server.address() as AddressInfo).port }))
