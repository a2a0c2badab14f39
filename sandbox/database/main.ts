import { startEmbedded } from "./embedded.ts"

/** `node sandbox/database/main.ts`: the embedded database as a process, on `DATABASE_PORT`. Its data ends with it. */
const database = await startEmbedded(Number(process.env.DATABASE_PORT ?? 5432))
const stop = () => {
  void database.stop().finally(() => process.exit(0))
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
console.log(`Listening on ${database.url}`)
