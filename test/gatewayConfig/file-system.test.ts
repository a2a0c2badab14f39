import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Effect, FileSystem, type Layer, Option } from "effect"
import * as MemoryFileSystem from "../../src/testing/MemoryFileSystem.ts"

const text = new TextEncoder()

/** What a failed operation says: its reason and the system's own code. */
const failure = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(effect), (error) => {
    const { reason } = error as { reason: { _tag: string; cause?: { code?: string } } }
    return `${reason._tag} ${reason.cause?.code}`
  })

/**
 * The memory file system is held to Node's, operation by operation. The folder is made and removed by the file system
 * under test alone: a path in memory must never be taken for one on the real disk.
 */
const suite = (name: string, layer: Layer.Layer<FileSystem.FileSystem>) => {
  const test = (what: string, run: (fs: FileSystem.FileSystem, root: string) => Effect.Effect<void, unknown>) =>
    it.effect(what, () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        yield* run(fs, yield* fs.makeTempDirectoryScoped({ prefix: "job-collector-fs-" }))
      }).pipe(Effect.provide(layer))
    )

  describe(name, () => {
    test("files: exclusive, appended, cut, sought, with their modes", (fs, root) =>
      Effect.gen(function* () {
        const path = `${root}/a`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* fs.open(path, { flag: "wx", mode: 0o640 })
            yield* file.writeAll(text.encode("hello"))
            yield* file.sync
          })
        )
        assert.strictEqual(yield* failure(Effect.scoped(fs.open(path, { flag: "wx" }))), "AlreadyExists EEXIST")
        yield* fs.chmod(path, 0o604)
        const info = yield* fs.stat(path)
        assert.deepStrictEqual([info.type, info.mode & 0o7777, ByteSize.toBigInt(info.size)], ["File", 0o604, 5n])
        yield* fs.writeFileString(path, " world", { flag: "a" })
        assert.strictEqual(yield* fs.readFileString(path), "hello world")
        yield* fs.truncate(path, 3)
        assert.strictEqual(yield* fs.readFileString(path), "hel")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const file = yield* fs.open(path, { flag: "r+" })
            yield* file.seek(1n, "start")
            const some = Option.getOrThrow(yield* file.readAlloc(10))
            assert.strictEqual(new TextDecoder().decode(some), "el")
            assert.isTrue(Option.isNone(yield* file.readAlloc(10)))
            yield* file.seek(-1n, "current")
            yield* file.writeAll(text.encode("p!"))
          })
        )
        assert.strictEqual(yield* fs.readFileString(path), "hep!")
        yield* fs.utimes(path, 5, 5)
        assert.strictEqual(Option.getOrThrow((yield* fs.stat(path)).mtime).getTime(), 5_000)
        assert.strictEqual(yield* failure(fs.readFile(`${root}/none`)), "NotFound ENOENT")
        assert.strictEqual(yield* failure(fs.readFile(`${path}/below`)), "BadResource ENOTDIR")
        assert.strictEqual(yield* failure(fs.readFile(root)), "BadResource EISDIR")
      }))

    test("folders: made, listed, synced, removed", (fs, root) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(`${root}/x/y`, { recursive: true })
        assert.strictEqual(yield* failure(fs.makeDirectory(`${root}/x`)), "AlreadyExists EEXIST")
        assert.strictEqual(yield* failure(fs.makeDirectory(`${root}/p/q`)), "NotFound ENOENT")
        yield* fs.writeFileString(`${root}/x/y/f`, "1")
        assert.deepStrictEqual((yield* fs.readDirectory(`${root}/x`, { recursive: true })).sort(), ["y", "y/f"])
        yield* Effect.scoped(Effect.flatMap(fs.open(`${root}/x`, { flag: "r" }), (folder) => folder.sync))
        yield* fs.copy(`${root}/x`, `${root}/z`)
        yield* fs.remove(`${root}/x`, { recursive: true })
        assert.isFalse(yield* fs.exists(`${root}/x`))
        assert.strictEqual(yield* fs.readFileString(`${root}/z/y/f`), "1")
        assert.strictEqual(yield* failure(fs.remove(`${root}/x`)), "NotFound ENOENT")
        yield* fs.remove(`${root}/x`, { force: true })
      }))

    test("links: followed, replaced, read, endless", (fs, root) =>
      Effect.gen(function* () {
        yield* fs.makeDirectory(`${root}/g1`)
        yield* fs.makeDirectory(`${root}/g2`)
        yield* fs.writeFileString(`${root}/g1/f`, "one")
        yield* fs.writeFileString(`${root}/g2/f`, "two")
        yield* fs.symlink("g1", `${root}/current`)
        yield* fs.symlink("current/f", `${root}/f`)
        assert.strictEqual(yield* fs.readFileString(`${root}/f`), "one")
        yield* fs.symlink("g2", `${root}/tmp`)
        yield* fs.rename(`${root}/tmp`, `${root}/current`)
        assert.strictEqual(yield* fs.readFileString(`${root}/f`), "two")
        assert.strictEqual(yield* fs.readLink(`${root}/current`), "g2")
        assert.strictEqual((yield* fs.lstat(`${root}/f`)).type, "SymbolicLink")
        assert.strictEqual(yield* fs.realPath(`${root}/f`), `${yield* fs.realPath(root)}/g2/f`)
        assert.strictEqual(yield* failure(fs.symlink("g1", `${root}/current`)), "AlreadyExists EEXIST")
        assert.strictEqual(yield* failure(fs.readLink(`${root}/g1`)), "Unknown EINVAL")
        yield* fs.remove(`${root}/current`)
        assert.strictEqual(yield* failure(fs.readFile(`${root}/f`)), "NotFound ENOENT")
        assert.isFalse(yield* fs.exists(`${root}/f`))
        yield* fs.symlink("loop", `${root}/loop`)
        assert.strictEqual(yield* failure(fs.readFile(`${root}/loop`)), "BadResource ELOOP")
        yield* fs.link(`${root}/g1/f`, `${root}/hard`)
        yield* fs.writeFileString(`${root}/hard`, "both")
        assert.strictEqual(yield* fs.readFileString(`${root}/g1/f`), "both")
      }))

    test("renames: over a file, not over a full folder", (fs, root) =>
      Effect.gen(function* () {
        yield* fs.writeFileString(`${root}/a`, "a")
        yield* fs.writeFileString(`${root}/b`, "b")
        yield* fs.rename(`${root}/a`, `${root}/b`)
        assert.strictEqual(yield* fs.readFileString(`${root}/b`), "a")
        yield* fs.makeDirectory(`${root}/d`)
        yield* fs.makeDirectory(`${root}/e/full`, { recursive: true })
        assert.strictEqual(yield* failure(fs.rename(`${root}/d`, `${root}/e`)), "Unknown ENOTEMPTY")
        assert.strictEqual(yield* failure(fs.rename(`${root}/b`, `${root}/d`)), "BadResource EISDIR")
        assert.strictEqual(yield* failure(fs.rename(`${root}/d`, `${root}/b`)), "BadResource ENOTDIR")
        assert.strictEqual(yield* failure(fs.rename(`${root}/none`, `${root}/b`)), "NotFound ENOENT")
      }))
  })
}

suite("Node's file system", NodeFileSystem.layer)
suite("the memory file system", MemoryFileSystem.layer)
