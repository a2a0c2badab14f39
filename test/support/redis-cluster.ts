import { redisCommand } from "./redis-command.ts"
import { freePort, RedisServer, waitUntil } from "./redis-server.ts"

const SLOTS = 16_384

/** How a private Redis Cluster is made. */
export interface RedisClusterOptions {
  /** Default 3, the least a Cluster needs to agree on a failover. */
  readonly masters?: number
  /** Replicas of each master; default 0. */
  readonly replicas?: number
  /**
   * How long a node must be silent to be thought down, in ms. The default of 30,000 is longer than any pause of a busy
   * machine: no replica takes over but by {@link RedisCluster.takeOver}.
   */
  readonly nodeTimeout?: number
  /** More arguments for every node. */
  readonly args?: ReadonlyArray<string>
}

/** A Redis Cluster on loopback, its slots shared out evenly over the masters. */
export class RedisCluster {
  /** The nodes that began as masters, in the order of their slots. */
  readonly masters: ReadonlyArray<RedisServer>
  /** The nodes that began as replicas: node i replicates master i modulo their number. */
  readonly replicas: ReadonlyArray<RedisServer>

  private constructor(masters: ReadonlyArray<RedisServer>, replicas: ReadonlyArray<RedisServer>) {
    this.masters = masters
    this.replicas = replicas
  }

  static async start(options: RedisClusterOptions = {}): Promise<RedisCluster> {
    const { masters: count = 3, replicas = 0, nodeTimeout = 30_000, args = [] } = options
    const busPorts: Array<number> = []
    const nodes: Array<RedisServer> = []
    for (let i = 0; i < count * (1 + replicas); i++) {
      const busPort = await freePort()
      busPorts.push(busPort)
      nodes.push(
        await RedisServer.start([
          "--cluster-enabled",
          "yes",
          "--cluster-port",
          `${busPort}`,
          "--cluster-node-timeout",
          `${nodeTimeout}`,
          "--repl-diskless-sync-delay",
          "0",
          "--cluster-replica-validity-factor",
          "0",
          ...args
        ])
      )
    }
    const cluster = new RedisCluster(nodes.slice(0, count), nodes.slice(count))
    const [first] = nodes
    for (const [i, node] of nodes.entries()) {
      await redisCommand(node.port, "CLUSTER", "SET-CONFIG-EPOCH", `${i + 1}`)
      if (i < count) {
        const from = Math.floor((SLOTS * i) / count)
        const to = Math.floor((SLOTS * (i + 1)) / count) - 1
        await redisCommand(node.port, "CLUSTER", "ADDSLOTSRANGE", `${from}`, `${to}`)
      }
      if (i > 0) await redisCommand(first?.port ?? 0, "CLUSTER", "MEET", "127.0.0.1", `${node.port}`, `${busPorts[i]}`)
    }
    await cluster.agreed(nodes.length)
    for (const [i, replica] of cluster.replicas.entries()) {
      const master = cluster.masters[i % count]
      const id = await redisCommand(master?.port ?? 0, "CLUSTER", "MYID")
      await redisCommand(replica.port, "CLUSTER", "REPLICATE", String(id))
    }
    for (const replica of cluster.replicas) {
      await waitUntil("the replica is in step", async () =>
        String(await redisCommand(replica.port, "INFO", "replication")).includes("master_link_status:up")
      )
    }
    return cluster
  }

  get nodes(): ReadonlyArray<RedisServer> {
    return [...this.masters, ...this.replicas]
  }

  /** Where the masters listen: what a client starts from. */
  get addresses(): ReadonlyArray<{ readonly host: string; readonly port: number }> {
    return this.masters.map(({ port }) => ({ host: "127.0.0.1", port }))
  }

  /** The slot of a key, as Redis computes it. */
  async slot(key: string): Promise<number> {
    return Number(await redisCommand(this.masters[0]?.port ?? 0, "CLUSTER", "KEYSLOT", key))
  }

  /** The node that serves a slot at present, as the nodes that answer see it. */
  async owner(slot: number): Promise<RedisServer> {
    for (const node of this.nodes) {
      const ranges = await redisCommand(node.port, "CLUSTER", "SLOTS").catch(() => [])
      for (const [from, to, [, port]] of ranges as ReadonlyArray<[number, number, [string, number]]>) {
        const owner = this.nodes.find((candidate) => candidate.port === port)
        if (from <= slot && slot <= to && owner !== undefined) return owner
      }
    }
    throw new Error(`no node serves slot ${slot}`)
  }

  /** Makes the replica of a master that is down master at once; resolves when it serves the slot. */
  async takeOver(master: RedisServer, slot: number): Promise<void> {
    const replica = this.replicas[this.masters.indexOf(master)]
    if (replica === undefined) throw new Error(`the node on port ${master.port} has no replica`)
    await redisCommand(replica.port, "CLUSTER", "FAILOVER", "TAKEOVER")
    await waitUntil("the replica serves the slot", async () => (await this.owner(slot)).port === replica.port)
  }

  /** Begins to move a slot: keys that are not in it yet are answered with ASK from here on. */
  async beginMove(slot: number, to: RedisServer): Promise<void> {
    const from = await this.owner(slot)
    const [fromId, toId] = await Promise.all([from, to].map((node) => redisCommand(node.port, "CLUSTER", "MYID")))
    await redisCommand(to.port, "CLUSTER", "SETSLOT", `${slot}`, "IMPORTING", String(fromId))
    await redisCommand(from.port, "CLUSTER", "SETSLOT", `${slot}`, "MIGRATING", String(toId))
  }

  /** Moves the keys of a slot and the slot itself: the old owner answers MOVED from here on. */
  async finishMove(slot: number, to: RedisServer): Promise<void> {
    const from = await this.owner(slot)
    const keys = (await redisCommand(from.port, "CLUSTER", "GETKEYSINSLOT", `${slot}`, "1000")) as ReadonlyArray<string>
    for (const key of keys) await redisCommand(from.port, "MIGRATE", "127.0.0.1", `${to.port}`, key, "0", "5000")
    const toId = String(await redisCommand(to.port, "CLUSTER", "MYID"))
    for (const node of [to, from, ...this.masters]) {
      await redisCommand(node.port, "CLUSTER", "SETSLOT", `${slot}`, "NODE", toId)
    }
  }

  /** Waits until every node that runs calls the Cluster whole, so many nodes in it. */
  async agreed(nodes = this.nodes.length): Promise<void> {
    for (const node of this.nodes) {
      await waitUntil(`the node on port ${node.port} calls the Cluster whole`, async () => {
        const info = String(await redisCommand(node.port, "CLUSTER", "INFO"))
        return info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${nodes}`)
      })
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
  }
}
