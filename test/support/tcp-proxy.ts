import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

/**
 * What the proxy does with bytes, both ways:
 * - `pass`: hands them on
 * - `drop`: cuts what is connected and refuses what comes
 * - `black-hole`: takes connections and bytes and gives nothing back, as a half-open peer does
 * - a number: hands them on so many milliseconds later
 */
export type ProxyMode = "pass" | "drop" | "black-hole" | number

/** A TCP proxy on a free loopback port in front of another port, whose behaviour can be changed while it runs. */
export class TcpProxy {
  private current: ProxyMode = "pass"
  private target: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()

  private constructor(target: number) {
    this.target = target
    this.server = createServer({ allowHalfOpen: true }, (near) => this.accept(near))
  }

  static async start(target: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(target)
    proxy.server.listen(0, "127.0.0.1")
    await once(proxy.server, "listening")
    return proxy
  }

  get mode(): ProxyMode {
    return this.current
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Connections that came in and are open. */
  get connections(): number {
    return this.sockets.size / 2
  }

  /** Sends the connections that come from now on to another port, as a name does that moved on to another server. */
  retarget(port: number): void {
    this.target = port
  }

  /** Changes the behaviour; `drop` cuts the connections there are. */
  set(mode: ProxyMode): void {
    this.current = mode
    if (mode === "drop") this.cut()
  }

  /** Cuts the connections there are, whatever the mode. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  async stop(): Promise<void> {
    this.cut()
    const closed = once(this.server, "close")
    this.server.close()
    await closed
  }

  private accept(near: Socket): void {
    if (this.current === "drop") {
      near.resetAndDestroy()
      return
    }
    const far = connect(this.target, "127.0.0.1")
    this.pipe(near, far)
    this.pipe(far, near)
  }

  private pipe(from: Socket, to: Socket): void {
    this.sockets.add(from)
    // What came first is handed on first, also when the delay ends while something is late.
    let late: Promise<unknown> | undefined
    const on = (act: () => void) => {
      if (this.current === "black-hole") return
      if (late === undefined && typeof this.current !== "number") return act()
      const before = late
      const delay = typeof this.current === "number" ? sleep(this.current) : undefined
      const mine = Promise.all([before, delay]).then(() => {
        if (late === mine) late = undefined
        act()
      })
      late = mine
    }
    from.on("data", (data) => on(() => to.destroyed || to.write(data)))
    from.on("error", () => {})
    from.on("end", () => on(() => to.end()))
    from.on("close", () => {
      this.sockets.delete(from)
      on(() => to.destroy())
    })
  }
}
