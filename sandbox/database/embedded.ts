import { PGlite } from "@electric-sql/pglite"
import { PGLiteSocketServer } from "@electric-sql/pglite-socket"

/** A running embedded database. */
export interface EmbeddedDatabase {
  readonly url: string
  readonly stop: () => Promise<void>
}

/**
 * PostgreSQL compiled to WebAssembly (PGlite), in memory, served to one connection at a time on a loopback port. One:
 * all connections would share one session and each other's prepared statements.
 */
export const startEmbedded = async (port: number): Promise<EmbeddedDatabase> => {
  const db = await PGlite.create()
  const server = new PGLiteSocketServer({ db, port, host: "127.0.0.1", maxConnections: 1 })
  await server.start()
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    stop: async () => {
      await server.stop()
      if (!db.closed) await db.close()
    }
  }
}
