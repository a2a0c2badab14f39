/** The single-writer lock: `.lock` in the configuration folder, held for one install or one command. */
import { Clock, Effect, type FileSystem, Option, type PlatformError, Random } from "effect"
import { LockHolder } from "../../domain/gatewayConfig/state.ts"
import { ConfigStoreError } from "../../services/ConfigStore.ts"
import { Processes, type ProcessIdentity } from "../../services/Processes.ts"
import { type Durable, jsonFile, orMissing, storeError } from "./durable.ts"

/** How often a holder shows that it lives, in milliseconds. */
const HEARTBEAT = 5_000
/** A holder that nobody here can ask is taken for dead after this long without a heartbeat, by the watcher's clock. */
const EXPIRY = 30_000
const PATIENCE = 40_000
const POLL = 250

const holderFile = jsonFile(LockHolder)

const nowhere: ProcessIdentity = { host: "", bootId: undefined, pid: 0, startTime: undefined }

type Life = "dead" | "alive" | "unknown"

/** Makes `locked` for a folder that may not exist yet. Without `Processes` every holder is told dead by heartbeat alone. */
export const makeLock = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, durable: Durable, directory: string) {
  const processes = Option.getOrUndefined(yield* Effect.serviceOption(Processes))
  const self = processes?.self ?? nowhere
  const path = `${directory}/.lock`
  let serial = 0

  /** The lock as it stands: its holder (undefined where unreadable) and a mark that changes with each heartbeat. */
  const look = orMissing(
    Effect.gen(function* () {
      const bytes = yield* fs.readFile(path)
      const { mtime } = yield* fs.stat(path)
      const text = new TextDecoder().decode(bytes)
      return { holder: holderFile.parse(bytes), text, mark: `${Option.getOrUndefined(mtime)?.getTime()} ${text}` }
    })
  )

  const lifeOf = (holder: LockHolder | undefined): Effect.Effect<Life> => {
    if (holder === undefined || processes === undefined || holder.host !== self.host) return Effect.succeed("unknown")
    if (holder.bootId === null || self.bootId === undefined) return Effect.succeed("unknown")
    if (holder.bootId !== self.bootId) return Effect.succeed("dead")
    return Effect.map(processes.find(holder.pid), (facts) =>
      facts === undefined || (facts.startTime !== undefined && facts.startTime !== holder.startTime) ? "dead" : "alive"
    )
  }

  /** Takes a dead holder's lock away: renamed first, so that of two that try only one has it, and read again to be sure. */
  const evict = (text: string, nonce: string) =>
    Effect.gen(function* () {
      const aside = `${directory}/.lock.${nonce}.tmp`
      yield* fs.rename(path, aside)
      const taken = yield* fs.readFileString(aside)
      if (taken !== text) yield* Effect.ignore(fs.link(aside, path))
      yield* fs.remove(aside, { force: true })
    }).pipe(orMissing)

  const create = (holder: LockHolder) =>
    Effect.scoped(
      Effect.gen(function* () {
        const file = yield* fs.open(path, { flag: "wx", mode: 0o600 })
        // A lock without its holder's name would keep everyone out until it expires.
        yield* Effect.onError(file.writeAll(holderFile.bytes(holder)), () => Effect.ignore(fs.remove(path)))
      })
    ).pipe(
      Effect.as(true),
      Effect.catchIf(
        (error) => error.reason._tag === "AlreadyExists",
        () => Effect.succeed(false)
      )
    )

  const acquire = Effect.gen(function* () {
    const start = yield* Clock.currentTimeMillis
    serial += 1
    const nonce = `${start.toString(36)}-${serial}-${(yield* Random.nextIntBetween(0, 2 ** 30)).toString(36)}`
    const me: LockHolder = {
      host: self.host,
      bootId: self.bootId ?? null,
      pid: self.pid,
      startTime: self.startTime ?? null,
      nonce
    }
    yield* durable.ensureFolder(directory)
    let mark = ""
    let seen = start
    while (!(yield* create(me))) {
      const now = yield* Clock.currentTimeMillis
      const found = yield* look
      if (found === undefined) continue
      if (found.mark !== mark) {
        mark = found.mark
        seen = now
      }
      const life = yield* lifeOf(found.holder)
      if (life === "dead" || (life === "unknown" && now - seen >= EXPIRY)) {
        yield* evict(found.text, nonce)
        continue
      }
      if (now - start >= PATIENCE) {
        const who =
          found.holder === undefined ? "someone" : `pid ${found.holder.pid} on ${found.holder.host || "a host"}`
        return yield* new ConfigStoreError({
          reason: "Locked",
          problem: `${path}: ${who} is writing since more than ${PATIENCE / 1_000} s: end it, or remove the file if nobody is`
        })
      }
      yield* Effect.interruptible(Effect.sleep(POLL))
    }
    return me
  })

  const heartbeat = Clock.currentTimeMillis.pipe(
    Effect.flatMap((now) => fs.utimes(path, now / 1_000, now / 1_000)),
    Effect.ignore,
    Effect.delay(HEARTBEAT),
    Effect.forever
  )

  /** Removes the lock if it is still this holder's. */
  const release = (me: LockHolder) =>
    Effect.flatMap(look, (found) =>
      found?.holder?.nonce === me.nonce ? fs.remove(path, { force: true }) : Effect.void
    )

  const mapErrors = <A>(effect: Effect.Effect<A, PlatformError.PlatformError | ConfigStoreError>) =>
    Effect.mapError(effect, (error) => (error._tag === "PlatformError" ? storeError(error) : error))

  return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | ConfigStoreError, R> =>
    Effect.acquireUseRelease(
      mapErrors(acquire),
      () => Effect.raceFirst(effect, heartbeat),
      (me) => mapErrors(release(me)).pipe(Effect.ignore)
    )
})
