import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Cluster } from "ioredis"
import { testKey } from "../support/collector-process.ts"
import { describeAccount, type Streams } from "../support/conservation.ts"
import { ReceivingApi } from "../support/receiving-api.ts"
import { RedisCluster } from "../support/redis-cluster.ts"
import { Scene } from "./scene.ts"

const roles = ["transcribe", "process", "dlq", "abandoned"] as const

const settingsFor = (name: (role: string) => string): Record<string, string> =>
  Object.fromEntries(roles.map((role) => [`STREAM_${role.toUpperCase()}`, name(role)]))

describe("a Redis Cluster", () => {
  let cluster: RedisCluster

  beforeAll(async () => {
    cluster = await RedisCluster.start()
  })

  afterAll(() => cluster.stop())

  const open = async (streams: Streams, settings: Record<string, string>): Promise<Scene> => {
    const api = await ReceivingApi.start(testKey.public)
    const client = new Cluster([...cluster.addresses])
    const env = {
      REDIS_CLUSTER_NODES: cluster.addresses.map(({ host, port }) => `${host}:${port}`).join(","),
      GROUP_START_ID: "0",
      ...settings
    }
    return new Scene(api, client, env, streams, [])
  }

  /** Every fifth event fails once, so that moves are made as well. */
  const work = async (scene: Scene): Promise<void> => {
    scene.api.answer = ({ attempt, eventId }) => (attempt === 1 && /[05]$/.test(eventId) ? { status: 500 } : undefined)
    await scene.produce(200, 500)
    const account = await scene.settled()
    assert.strictEqual(account.delivered, 200, describeAccount(account))
    assert.deepStrictEqual([account.waiting, account.lost.length, account.forked.length], [0, 0, 0])
  }

  /** Starts a collector, which warns of split streams or does not, and has it do its work. */
  const run = async (scene: Awaited<ReturnType<typeof open>>, warns: boolean) => {
    try {
      const collector = scene.start()
      await collector.collecting()
      assert.strictEqual(collector.said("streams.split"), warns, collector.lines.join("\n"))
      await work(scene)
    } finally {
      await scene.close()
    }
  }

  it("names without a hash tag: a warning at start, and everything is delivered all the same", async () => {
    const name = (role: string) => `plain:${role}`
    const streams = {
      sources: [name("transcribe"), name("process")],
      dlqs: [name("dlq")],
      abandoned: [name("abandoned")],
      group: "job-collector-group"
    }
    const scene = await open(streams, settingsFor(name))
    await run(scene, true)
  }, 180_000)

  it("several sets of streams, each with its hash tag: no warning, one process serves them all", async () => {
    const shards = ["a", "b", "c"]
    const name = (shard: string, role: string) => `{mg-${shard}}:${role}`
    const streams = {
      sources: shards.flatMap((shard) => [name(shard, "transcribe"), name(shard, "process")]),
      dlqs: shards.map((shard) => name(shard, "dlq")),
      abandoned: shards.map((shard) => name(shard, "abandoned")),
      group: "job-collector-group"
    }
    const slots = await Promise.all(streams.dlqs.map((key) => cluster.slot(key)))
    const owners = await Promise.all(slots.map((slot) => cluster.owner(slot)))
    assert.isAbove(new Set(owners).size, 1, "the sets lie on several nodes")
    const scene = await open(streams, {
      ...settingsFor((role) => name("{shard}", role)),
      STREAM_SHARDS: shards.join(",")
    })
    await run(scene, false)
  }, 180_000)
})
