import { setTimeout as sleep } from "node:timers/promises"

/** A user's application: hears of the user's new jobs over the API's WebSocket, and misses none while the API is away. */
export class Listener {
  /** Every job id it was told of, in order. */
  readonly heard: Array<number> = []
  private readonly url: string
  private socket: WebSocket | undefined
  private again: NodeJS.Timeout | undefined
  private closed = false

  constructor(apiUrl: string, userId: string) {
    this.url = `${apiUrl.replace(/^http/, "ws")}/ws?user_id=${encodeURIComponent(userId)}`
    this.connect()
  }

  private connect(): void {
    const socket = new WebSocket(`${this.url}&after=${this.heard.at(-1) ?? 0}`)
    this.socket = socket
    socket.addEventListener("message", ({ data }) => {
      const { type, job_id } = JSON.parse(String(data)) as { readonly type: string; readonly job_id: number }
      if (type === "job_created") this.heard.push(job_id)
    })
    socket.addEventListener("close", () => {
      if (!this.closed) this.again = setTimeout(() => this.connect(), 300)
    })
    // A "close" follows.
    socket.addEventListener("error", () => undefined)
  }

  /** Waits until it is connected and has heard nothing new for a second, or until the time is up. */
  async quiet(deadlineMs = 20_000): Promise<void> {
    const end = performance.now() + deadlineMs
    for (let known = -1, looks = 0; looks < 4 && performance.now() < end; looks++) {
      if (this.socket?.readyState !== WebSocket.OPEN || this.heard.length !== known) looks = 0
      known = this.heard.length
      await sleep(250)
    }
  }

  close(): void {
    this.closed = true
    clearTimeout(this.again)
    this.socket?.close()
  }
}
