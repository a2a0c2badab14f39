/** An HTTP server on Node that leaves no early request unanswered. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from "node:http"

/**
 * A server that may listen before anybody handles its requests: what comes meanwhile waits for the first handler. Node
 * by itself never answers a request that finds none.
 */
export const createPatientServer = (): Server => {
  const server = createServer()
  const early: Array<[IncomingMessage, ServerResponse]> = []
  const wait = (request: IncomingMessage, response: ServerResponse): void => void early.push([request, response])
  const attend = (event: string | symbol, handler: RequestListener): void => {
    if (event !== "request") return
    server.off("newListener", attend).off("request", wait)
    for (const [request, response] of early.splice(0)) handler(request, response)
  }
  return server.on("request", wait).on("newListener", attend)
}
