/** The single-writer lock: `.lock` in the configuration folder, held for one install or one command. */
import { Clock, Effect, type FileSystem, Option, type PlatformError, Random } from "effect"
import { LockHolder } from "../../domain/gatewayConfig/state.ts"
import { ConfigStoreError } from "../../services/ConfigStore.ts"
import { Processes, type ProcessIdentity } from "../../services/Processes.ts"
import { type Durable, jsonFile, orMissing, stampOf } from "./durable.ts"
import { at, codeOf, storeError } from "./storeFailure.ts"

/** How often a holder shows that it lives, in milliseconds. */
const HEARTBEAT = 5_000
/** A holder that nobody here can ask is taken for dead after this long without a heartbeat, by the watcher's clock. */
const EXPIRY = 30_000
const PATIENCE = 40_000
const POLL = 250

const holderFile = jsonFile(LockHolder)

/** What is in the way of who has waited long enough. */
const whyLocked = (found: { readonly type: string; readonly holder: LockHolder | undefined } | undefined): string => {
  if (found?.type === "Directory") return "a folder stands in its place: move it away"
  const { holder } = found ?? {}
  const who = holder === undefined ? "someone" : `pid ${holder.pid} on ${holder.host || "a host"}`
  return `${who} is writing since more than ${PATIENCE / 1_000} s: end it, or remove the file if nobody is`
}

/** The lock of another user may not be readable: nothing is known of its holder then. */
const orDenied = <A>(effect: Effect.Effect<A, PlatformError.PlatformError>) =>
  Effect.catchIf(
    effect,
    (error) => codeOf(error) === "EACCES",
    () => Effect.undefined
  )

/** Waiting is measured by a clock that nobody sets. */
const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos / 1_000_000n))

const nowhere: ProcessIdentity = { host: "", bootId: undefined, pid: 0, startTime: undefined }

type Life = "dead" | "alive" | "unknown"

/** Makes `locked` for a folder that may not exist yet. Without `Processes` every holder is told dead by heartbeat alone. */
export const makeLock = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, durable: Durable, directory: string) {
  const processes = Option.getOrUndefined(yield* Effect.serviceOption(Processes))
  const self = processes?.self ?? nowhere
  const path = `${directory}/.lock`
  let serial = 0

  /**
   * The lock as it stands: its holder (undefined where that cannot be read), a text to compare, and a mark that changes
   * with each heartbeat. A link or a pipe in its place is not followed nor read: that might never end.
   */
  const lookAt = (path: string) =>
    orMissing(
      Effect.gen(function* () {
        const info = yield* fs.lstat(path)
        const bytes = info.type === "File" ? yield* fs.readFile(path).pipe(orDenied) : undefined
        const text = bytes === undefined ? `${info.type} ${stampOf(info)}` : new TextDecoder().decode(bytes)
        return {
          type: info.type,
          holder: bytes === undefined ? undefined : holderFile.parse(bytes),
          text,
          mark: `${Option.getOrUndefined(info.mtime)?.getTime()} ${text}`
        }
      })
    )
  const look = lookAt(path)

  const lifeOf = (holder: LockHolder | undefined): Effect.Effect<Life> => {
    if (holder === undefined || processes === undefined || holder.host !== self.host) return Effect.succeed("unknown")
    if (holder.bootId === null || self.bootId === undefined) return Effect.succeed("unknown")
    if (holder.bootId !== self.bootId) return Effect.succeed("dead")
    return Effect.map(processes.find(holder.pid), (facts) =>
      facts === undefined || (facts.startTime !== undefined && facts.startTime !== holder.startTime) ? "dead" : "alive"
    )
  }

  /** Takes a dead holder's lock away: renamed first, so that of two that try only one has it, and read again to be sure. */
  const evict = Effect.fnUntraced(function* (text: string, nonce: string) {
    const aside = `${directory}/.lock.${nonce}.tmp`
    yield* fs.rename(path, aside)
    const taken = yield* lookAt(aside)
    if (taken?.text !== text) yield* Effect.ignore(fs.link(aside, path))
    yield* fs.remove(aside, { force: true })
  }, orMissing)

  const create = (holder: LockHolder) =>
    Effect.scoped(
      Effect.gen(function* () {
        // Readable by all: who waits, perhaps of another user, asks after its holder.
        const file = yield* fs.open(path, { flag: "wx", mode: 0o644 })
        yield* durable.handOver(path, directory)
        // A lock without its holder's name would keep everyone out until it expires.
        yield* Effect.onError(file.writeAll(holderFile.bytes(holder)), () => Effect.ignore(fs.remove(path)))
      })
    ).pipe(
      at(path),
      Effect.as(true),
      Effect.catchIf(
        (error) => error.reason._tag === "AlreadyExists",
        () => Effect.succeed(false)
      )
    )

  const acquire = Effect.gen(function* () {
    const start = yield* monotonicMillis
    serial += 1
    const nonce = `${(yield* Clock.currentTimeMillis).toString(36)}-${serial}-${(yield* Random.nextIntBetween(0, 2 ** 30)).toString(36)}`
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
      const now = yield* monotonicMillis
      const found = yield* look
      if (found !== undefined && found.mark !== mark) {
        mark = found.mark
        seen = now
      }
      const life = found === undefined ? "alive" : yield* lifeOf(found.holder)
      // A folder is nobody's lock; it may hold what somebody wants to keep.
      const expired = life === "unknown" && now - seen >= EXPIRY && found?.type !== "Directory"
      if (found !== undefined && (life === "dead" || expired)) {
        yield* evict(found.text, nonce)
        continue
      }
      if (now - start >= PATIENCE) {
        return yield* new ConfigStoreError({ reason: "Locked", problem: `${path}: ${whyLocked(found)}` })
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
