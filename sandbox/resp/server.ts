import { createServer, type Socket } from "node:net"
import { Effect, Exit, type Fiber, type Scope } from "effect"
import type { MemoryConnection, MemoryEngine } from "../../src/layers/redis/memory/MemoryRedis.ts"
import { CommandParser, encodeError, encodeReply, ProtocolError, type Reply } from "./protocol.ts"

/** So many commands of one client may wait before it is read no further. */
const MOST_WAITING = 1_024

/** What a connection says of itself and the engine need not know. `undefined`: it is the engine's to answer. */
const connectionReply = (name: string, args: ReadonlyArray<string>): Reply | Error | undefined => {
  switch (name.toUpperCase()) {
    case "SELECT":
      return args[0] === "0" ? "OK" : new Error("ERR DB index is out of range")
    case "CLIENT":
      return args[0]?.toUpperCase() === "ID" ? 1 : "OK"
    case "COMMAND":
      return []
    case "HELLO":
      return args[0] === undefined || args[0] === "2"
        ? [
            "server",
            "redis",
            "version",
            "7.0.15",
            "proto",
            2,
            "id",
            1,
            "mode",
            "standalone",
            "role",
            "master",
            "modules",
            []
          ]
        : new Error("NOPROTO unsupported protocol version")
    case "AUTH":
      return new Error("ERR AUTH <password> called without any password configured for the default user.")
    case "QUIT":
      return "OK"
    default:
      return undefined
  }
}

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

/** One client: its commands are answered in order, one at a time; what it waits for ends with its connection. */
class Client {
  private readonly socket: Socket
  private readonly connection: MemoryConnection
  private readonly parser = new CommandParser()
  private readonly waiting: Array<ReadonlyArray<string>> = []
  private running: Fiber.Fiber<unknown> | undefined
  private busy = false

  constructor(socket: Socket, connection: MemoryConnection) {
    this.socket = socket
    this.connection = connection
    socket.setNoDelay(true)
    socket.on("data", (bytes) => this.hear(bytes))
    socket.on("error", () => socket.destroy())
    socket.on("close", () => {
      this.waiting.length = 0
      this.running?.interruptUnsafe()
    })
  }

  private hear(bytes: Buffer): void {
    try {
      this.waiting.push(...this.parser.push(bytes))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      this.socket.end(encodeError(error.message))
      return
    }
    if (this.waiting.length >= MOST_WAITING) this.socket.pause()
    this.next()
  }

  /** Answers what waits, until a command itself has to wait. */
  private next(): void {
    if (this.busy) return
    this.socket.cork()
    for (let command = this.waiting.shift(); command !== undefined; command = this.waiting.shift()) {
      if (!this.perform(command)) break
    }
    this.socket.uncork()
    if (this.socket.isPaused() && this.waiting.length < MOST_WAITING) this.socket.resume()
  }

  /** Whether the command was answered at once. */
  private perform([name = "", ...args]: ReadonlyArray<string>): boolean {
    const own = connectionReply(name, args)
    if (own !== undefined) {
      const bytes = own instanceof Error ? encodeError(own.message) : encodeReply(own)
      if (name.toUpperCase() === "QUIT") this.socket.end(bytes)
      else this.write(bytes)
      return true
    }
    const fiber = Effect.runFork(
      Effect.match(this.connection.send<Reply>(name, ...args), {
        onSuccess: encodeReply,
        onFailure: (error) => encodeError(messageOf(error.cause))
      })
    )
    const done = fiber.pollUnsafe()
    if (done !== undefined) {
      this.finish(done)
      return true
    }
    this.busy = true
    this.running = fiber
    fiber.addObserver((exit) => {
      this.busy = false
      this.running = undefined
      this.finish(exit)
      this.next()
    })
    return false
  }

  private finish(exit: Exit.Exit<Buffer>): void {
    if (Exit.isSuccess(exit)) this.write(exit.value)
    else this.socket.destroy()
  }

  private write(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }
}

/** Serves an engine to Redis clients on a loopback port, until the scope closes. Gives the port. */
export const serveResp = (engine: MemoryEngine, port: number): Effect.Effect<number, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>, Error>((resume) => {
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.once("close", () => sockets.delete(socket))
        new Client(socket, engine.connection())
      })
      const sockets = new Set<Socket>()
      server.once("error", (error) => resume(Effect.fail(error)))
      server.once("close", () => {
        for (const socket of sockets) socket.destroy()
      })
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.sync(() => server.close())
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : port
    })
  )
