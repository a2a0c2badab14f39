import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"

/** Lists in lists, so many levels deep: a list of one list of one list … */
export const nestedReply = (levels: number): string => `${"*1\r\n".repeat(levels)}:1\r\n`

/** A server that answers a PING as Redis does and anything else with the bytes it was given. */
export class ReplyServer {
  /** Connections that came in. */
  connections = 0
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(reply: string) {
    this.server = createServer((socket) => {
      this.connections += 1
      this.sockets.add(socket)
      socket.on("error", () => {})
      socket.on("close", () => this.sockets.delete(socket))
      socket.on("data", (bytes) => {
        socket.write(/^\*1\r\n\$4\r\nping\r\n$/i.test(bytes.toString("latin1")) ? "+PONG\r\n" : reply)
      })
    })
  }

  static async start(reply: string): Promise<ReplyServer> {
    const started = new ReplyServer(reply)
    started.server.listen(0, "127.0.0.1")
    await once(started.server, "listening")
    return started
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
    if (this.server.listening) await once(this.server, "close")
  }
}
