import { once } from "node:events"
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"

/**
 * What the proxy does with bytes, both ways:
 * - `pass`: hands them on
 * - `drop`: cuts what is connected and refuses what comes
 * - `black-hole`: takes connections and bytes and gives nothing back, as a half-open peer does
 * - a number: hands them on so many milliseconds later
 * - `bytesPerSecond`: answers come no faster than that, all connections together
 */
export type ProxyMode = "pass" | "drop" | "black-hole" | number | { readonly bytesPerSecond: number }

/** A TCP proxy on a free loopback port in front of another port, whose behaviour can be changed while it runs. */
export class TcpProxy {
  private current: ProxyMode = "pass"
  private target: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  /** Connections that ever came in. */
  accepted = 0
  private linkIsFree = 0

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
    this.accepted += 1
    const far = connect(this.target, "127.0.0.1")
    this.pipe(near, far)
    this.pipe(far, near, true)
  }

  /** The wait for so many bytes of an answer, in milliseconds. */
  private delay(answered: number): number | undefined {
    if (typeof this.current !== "object") return typeof this.current === "number" ? this.current : undefined
    const now = performance.now()
    this.linkIsFree = Math.max(now, this.linkIsFree) + (answered / this.current.bytesPerSecond) * 1_000
    return this.linkIsFree - now
  }

  private pipe(from: Socket, to: Socket, answers = false): void {
    this.sockets.add(from)
    // What came first is handed on first, also when the delay ends while something is late.
    let late: Promise<unknown> | undefined
    const on = (act: () => void, answered = 0) => {
      if (this.current === "black-hole") return
      const wait = this.delay(answered)
      if (late === undefined && wait === undefined) return act()
      const before = late
      const mine = Promise.all([before, wait === undefined ? undefined : sleep(wait)]).then(() => {
        if (late === mine) late = undefined
        act()
      })
      late = mine
    }
    from.on("data", (data) => {
      const limited = answers && typeof this.current === "object"
      if (limited) from.pause()
      on(
        () => {
          if (!to.destroyed) to.write(data)
          if (limited) from.resume()
        },
        answers ? data.length : 0
      )
    })
    from.on("error", () => {})
    from.on("end", () => on(() => to.end()))
    from.on("close", () => {
      this.sockets.delete(from)
      on(() => to.destroy())
    })
  }
}
