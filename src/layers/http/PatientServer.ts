/** An HTTP server on Node that leaves no early request unanswered, and that no connection can hold up. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"

/** Probes and scrapers are few; each connection takes a descriptor that a delivery may need. */
const mostConnections = 128

const limits = {
  // A request is a line and some headers: a connection that has not sent them by then sends none.
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000
}

/** How long a server that closes waits for the answers under way. */
const closingTime = 1_000

/** Closes the connection that is open longest where there are too many: who comes anew is answered. */
const boundConnections = (server: Server): void => {
  const open = new Set<Socket>()
  server.on("connection", (socket) => {
    open.add(socket)
    socket.once("close", () => open.delete(socket))
    const [oldest] = open
    if (open.size > mostConnections) oldest?.destroy()
  })
}

/** From `close` on Node looks at no time limit any more: a silent connection would hold it up for as long as it likes. */
const closeInTime = (server: Server): void => {
  const close = server.close.bind(server)
  server.close = (closed) => {
    setTimeout(() => server.closeAllConnections(), closingTime).unref()
    return close(closed)
  }
}

/**
 * A server that may listen before anybody handles its requests: what comes meanwhile waits for the first handler. Node
 * by itself never answers a request that finds none.
 */
export const createPatientServer = (): Server => {
  const server = createServer(limits)
  boundConnections(server)
  closeInTime(server)
  const early: Array<[IncomingMessage, ServerResponse]> = []
  const wait = (request: IncomingMessage, response: ServerResponse): void => void early.push([request, response])
  const attend = (event: string | symbol, handler: RequestListener): void => {
    if (event !== "request") return
    server.off("newListener", attend).off("request", wait)
    for (const [request, response] of early.splice(0)) handler(request, response)
  }
  return server.on("request", wait).on("newListener", attend)
}
