/** Stands for `ioredis` in the bundled command, which finds a Cluster's nodes by itself. */
import command from "ioredis/built/Command.js"
import redis from "ioredis/built/Redis.js"

export const { default: Command } = command
export const { default: Redis } = redis
