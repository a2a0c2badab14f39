import { Redis as IoRedis } from "ioredis"

/** Sends one command to the server on a loopback port, over a connection of its own. */
export const redisCommand = async (port: number, name: string, ...args: ReadonlyArray<string>): Promise<unknown> => {
  const client = new IoRedis(port, "127.0.0.1", { retryStrategy: () => null, disableClientInfo: true })
  client.on("error", () => {})
  try {
    return await client.call(name, ...args)
  } finally {
    client.disconnect()
  }
}
