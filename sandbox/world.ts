import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { native } from "../src/layers/signing/native.ts"
import { findRedisServer } from "../test/support/redis-binary.ts"
import { freePort } from "../test/support/redis-server.ts"
import { type ApiProcess, startApi } from "./api/process.ts"
import { Child } from "./children.ts"
import * as Database from "./database/Database.ts"
import { type SeedUser, seed } from "./database/seed.ts"
import { GatewayProcess } from "./gateway/process.ts"
import { guard } from "./guard.ts"
import { Streams } from "./streams.ts"

export interface WorldOptions {
  /** `server`: the machine's redis-server; `embedded`: the memory engine over RESP; `auto`: what there is. */
  readonly redis: "auto" | "server" | "embedded"
  /** A PostgreSQL to use instead of the embedded database; everything is kept in a schema that is dropped at the end. */
  readonly databaseUrl: string | undefined
  readonly users: ReadonlyArray<SeedUser>
  /** The same seed gives the same events. */
  readonly seed: string
  /** Settings of the collector beside those that the world gives. */
  readonly collector?: Readonly<Record<string, string>> | undefined
  /** Told of each part as it is up. */
  readonly onStep?: ((step: string) => void) | undefined
}

interface Ports {
  readonly redis: number
  readonly database: number
  readonly api: number
  readonly collector: number
  readonly gateway: number
}

const built = fileURLToPath(new URL("../dist/bin.js", import.meta.url))

/** Every participant of the diagram as a process of its own, on free loopback ports, its files in one temporary folder. */
export class World {
  readonly directory: string
  readonly redisKind: "redis-server" | "embedded"
  readonly databaseKind: "PostgreSQL" | "embedded"
  readonly streams: Streams
  readonly operatorToken = randomBytes(16).toString("hex")
  api!: ApiProcess
  collector!: Child
  gateway!: GatewayProcess
  private readonly options: WorldOptions
  private readonly ports: Ports
  private readonly redisServer: string | undefined
  private readonly database: Database.DatabaseOptions
  private readonly publicKey: string
  private readonly servers: Array<Child> = []
  private stopped = false

  private constructor(options: WorldOptions, directory: string, ports: Ports) {
    this.options = options
    this.directory = directory
    this.ports = ports
    this.redisServer = options.redis === "embedded" ? undefined : findRedisServer()
    if (options.redis === "server" && this.redisServer === undefined) {
      throw new Error("There is no redis-server on this machine")
    }
    this.redisKind = this.redisServer === undefined ? "embedded" : "redis-server"
    this.databaseKind = options.databaseUrl === undefined ? "embedded" : "PostgreSQL"
    this.database =
      options.databaseUrl === undefined
        ? { url: Redacted.make(`postgresql://postgres@127.0.0.1:${ports.database}/postgres`), connections: 1 }
        : {
            url: Redacted.make(options.databaseUrl),
            connections: 4,
            schema: `sandbox_${randomBytes(4).toString("hex")}`
          }
    this.streams = new Streams(this.redisUrl)
    const key = randomBytes(32)
    this.publicKey = Buffer.from(native.signer(key).publicKey).toString("hex")
    writeFileSync(this.keyFile, key.toString("hex"), { mode: 0o600 })
    mkdirSync(this.configDirectory)
  }

  /** Starts everything, the gateway silent: it produces when it is ordered to. */
  static async start(options: WorldOptions): Promise<World> {
    if (!existsSync(built)) throw new Error("The collector is not built yet: npm run build")
    const directory = mkdtempSync(join(tmpdir(), "job-collector-sandbox-"))
    guard.removes(directory)
    const world = new World(options, directory, {
      redis: await freePort(),
      database: await freePort(),
      api: await freePort(),
      collector: await freePort(),
      gateway: await freePort()
    })
    try {
      const { onStep = () => {} } = options
      const up = (name: string) => () => onStep(`${name} is up.`)
      await Promise.all([world.startRedis().then(up("Redis")), world.startDatabase().then(up("The database"))])
      // The collector starts without the API, as it does in production.
      await Promise.all([
        world
          .fill()
          .then(() => world.startApi())
          .then(up("The jobs API")),
        world.startGateway().then(up("The gateway")),
        world.startCollector().then(up("The collector"))
      ])
      return world
    } catch (error) {
      await world.stop()
      throw error
    }
  }

  get configDirectory(): string {
    return join(this.directory, "config")
  }

  /** Where the collector serves health and metrics. */
  get collectorUrl(): string {
    return `http://127.0.0.1:${this.ports.collector}`
  }

  get redisUrl(): string {
    return `redis://127.0.0.1:${this.ports.redis}`
  }

  private get keyFile(): string {
    return join(this.directory, "collector.key")
  }

  private async startRedis(): Promise<void> {
    const port = `${this.ports.redis}`
    const child =
      this.redisServer === undefined
        ? await Child.node("embedded Redis", "./resp/main.ts", { RESP_PORT: port })
        : await Child.start({
            name: "redis-server",
            command: [this.redisServer, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", this.directory]
          })
    this.servers.push(child)
    await child.until("answering", () => this.streams.answers())
  }

  private async startDatabase(): Promise<void> {
    if (this.databaseKind === "PostgreSQL") return
    const child = await Child.node("embedded database", "./database/main.ts", {
      DATABASE_PORT: `${this.ports.database}`
    })
    this.servers.push(child)
    await child.until("listening", async () => child.output.includes("Listening"))
  }

  private async fill(): Promise<void> {
    const { schema, ...options } = this.database
    if (schema !== undefined) {
      const create = SqlClient.use((sql) => sql`CREATE SCHEMA ${sql(schema)}`)
      await Effect.runPromise(Effect.provide(create, Database.layerClient(options)))
    }
    await Effect.runPromise(Effect.provide(seed(this.options.users), Database.layer(this.database)))
  }

  async startApi(): Promise<void> {
    this.api = await startApi({
      port: this.ports.api,
      databaseUrl: Redacted.value(this.database.url),
      databaseConnections: this.database.connections,
      databaseSchema: this.database.schema,
      serviceKeys: { "job-collector": this.publicKey },
      operatorToken: this.operatorToken
    })
  }

  private async startGateway(): Promise<void> {
    this.gateway = await GatewayProcess.start({
      port: this.ports.gateway,
      redisUrl: this.redisUrl,
      configDirectory: this.configDirectory,
      runDirectory: this.directory,
      seed: this.options.seed
    })
  }

  /** Starts the collector, as an operator would: `job-collector run` with an environment. */
  async startCollector(): Promise<void> {
    this.collector = await Child.node(
      "job collector",
      "../dist/bin.js",
      {
        REDIS_URL: this.redisUrl,
        API_BASE_URL: `http://127.0.0.1:${this.ports.api}`,
        ED25519_PRIVATE_KEY_FILE: this.keyFile,
        CONSUMER_NAME: "sandbox",
        CONFIG_DIR: this.configDirectory,
        CONFIG_SYNC_INTERVAL: "2 seconds",
        GATEWAY_PID_FILE: GatewayProcess.pidFile(this.directory),
        GATEWAY_STATUS_FILE: GatewayProcess.statusFile(this.directory),
        HTTP_PORT: `${this.ports.collector}`,
        LOG_FORMAT: "json",
        ...this.options.collector
      },
      ["run"]
    )
    await this.collector.until("reading its streams", () => this.streams.hasGroups())
  }

  /** An operator's request to the API. */
  async operator(method: "GET" | "PUT" | "POST", path: string, body?: object): Promise<Record<string, number>> {
    const response = await fetch(`${this.api.url}/api/operator${path}`, {
      method,
      headers: { authorization: `Bearer ${this.operatorToken}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000)
    })
    if (!response.ok) throw new Error(`The API answered ${response.status} to ${method} ${path}`)
    return (await response.json()) as Record<string, number>
  }

  /** Runs a query in the database itself. The embedded one serves one client only, so the API must have ended. */
  query<A, E>(effect: Effect.Effect<A, E, SqlClient>): Promise<A> {
    return Effect.runPromise(Effect.provide(effect, Database.layerClient(this.database)))
  }

  /** Ends every process and removes every trace. */
  async stop(): Promise<void> {
    if (this.stopped) return
    this.stopped = true
    await Promise.all([this.collector?.stop(), this.gateway?.child.stop(), this.api?.child.stop()])
    this.streams.close()
    const { schema } = this.database
    if (schema !== undefined) {
      await this.query(SqlClient.use((sql) => sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`)).catch(() => undefined)
    }
    await Promise.all(this.servers.map((child) => child.stop()))
    rmSync(this.directory, { recursive: true, force: true })
  }
}
