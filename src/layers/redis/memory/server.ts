/** PING, ECHO, TIME, INFO and CONFIG GET: what a client or a doctor asks of the server itself. */

import { matcher } from "./keys.ts"
import type { Command, Keyspace } from "./keyspace.ts"
import { checkArity, type Reply, unknownSubcommand, wrongArity } from "./replies.ts"

/** The Redis version whose replies the engine gives. */
const REDIS_VERSION = "7.0.15"

const ping: Command<Reply> = {
  arity: -1,
  run: (_db, args) => {
    if (args.length > 1) throw wrongArity("ping")
    return args[0] ?? "PONG"
  }
}

const echo: Command<Reply> = { arity: 2, run: (_db, [message = ""]) => message }

const time: Command<Reply> = {
  arity: 1,
  run: (_db, _args, now) => [`${Math.floor(now / 1_000)}`, `${(now % 1_000) * 1_000}`]
}

const sections: Readonly<Record<string, (db: Keyspace) => ReadonlyArray<readonly [string, string | number]>>> = {
  Server: () => [
    ["redis_version", REDIS_VERSION],
    ["server_name", "job-collector-memory"],
    ["redis_mode", "standalone"]
  ],
  Clients: (db) => [["blocked_clients", db.blocked]],
  Memory: () => [
    ["maxmemory", 0],
    ["maxmemory_policy", "noeviction"]
  ],
  Persistence: () => [
    ["loading", 0],
    ["rdb_last_bgsave_status", "ok"],
    ["aof_enabled", 0]
  ],
  Replication: () => [
    ["role", "master"],
    ["connected_slaves", 0]
  ],
  Cluster: () => [["cluster_enabled", 0]]
}

const info: Command<Reply> = {
  arity: -1,
  run: (db, wanted) => {
    const names = new Set(wanted.map((name) => name.toLowerCase()))
    const all = names.size === 0 || ["default", "all", "everything"].some((name) => names.has(name))
    return Object.entries(sections)
      .filter(([name]) => all || names.has(name.toLowerCase()))
      .map(([name, lines]) => {
        const body = lines(db).map(([key, value]) => `${key}:${value}\r\n`)
        return `# ${name}\r\n${body.join("")}`
      })
      .join("\r\n")
  }
}

const settings = [
  ["maxmemory", "0"],
  ["maxmemory-policy", "noeviction"],
  ["appendonly", "no"],
  ["save", ""]
] as const

const config: Command<Reply> = {
  arity: -2,
  run: (_db, [subcommand = "", ...patterns]) => {
    if (subcommand.toUpperCase() !== "GET") throw unknownSubcommand("CONFIG", subcommand)
    checkArity("config|get", -3, patterns.length + 2)
    const wanted = patterns.map((pattern) => matcher(pattern.toLowerCase()))
    return settings.filter(([name]) => wanted.some((matches) => matches(name))).flat()
  }
}

export const serverCommands = { PING: ping, ECHO: echo, TIME: time, INFO: info, CONFIG: config }
