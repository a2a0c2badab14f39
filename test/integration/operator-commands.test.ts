import { spawn } from "node:child_process"
import { Redis as IoRedisClient } from "ioredis"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"
import { encodeAbandonedEntry, encodeDlqEntry } from "../../src/domain/delivery/dlq.ts"
import { commandLine } from "../support/command-line.ts"
import { transcribeFields } from "../support/events.ts"
import { freePort, RedisServer, waitUntil } from "../support/redis-server.ts"
import { abandoned, dlq, group, processing as process_, transcribe } from "../support/streams.ts"

const hour = 3_600_000

let redis: RedisServer
let client: IoRedisClient

beforeAll(async () => {
  redis = await RedisServer.start(["--appendonly", "yes"])
  client = new IoRedisClient(redis.url)
})
beforeEach(() => client.flushall())
afterAll(async () => {
  client.disconnect()
  await redis.stop()
})

const run = (...args: ReadonlyArray<string>) => commandLine({ REDIS_URL: redis.url }, ...args)

const give = (
  eventId: string,
  more: Partial<Parameters<typeof encodeAbandonedEntry>[0]> = {},
  id = "*",
  fields: ReadonlyArray<string> = transcribeFields(eventId, Date.now())
) =>
  client.xadd(
    abandoned,
    id,
    ...encodeAbandonedEntry(
      {
        reason: "exhausted",
        attempts: 4,
        origin_stream: transcribe,
        origin_id: "1700000000000-0",
        first_failed_at: Date.now() - 65_000,
        abandoned_at: Date.now(),
        error_code: "HTTP_500",
        error_message: "BROKEN: try later",
        ...more
      },
      fields
    )
  ) as Promise<string>

const defer = (eventId: string, code = "HTTP_503", origin = transcribe) =>
  client.xadd(
    dlq,
    "*",
    ...encodeDlqEntry(
      {
        attempt: 2,
        not_before: Date.now() + 15_000,
        origin_stream: origin,
        origin_id: "1700000000000-0",
        first_failed_at: Date.now() - 5_000,
        last_failed_at: Date.now(),
        error_code: code,
        error_message: "BUSY: \u001b[31mred"
      },
      transcribeFields(eventId, Date.now())
    )
  ) as Promise<string>

const eventIds = (lines: ReadonlyArray<string>) => lines.map((line) => JSON.parse(line).event_id)

describe("dlq list", () => {
  it("shows what waits, with its attempt and error, nothing of which steers the terminal", async () => {
    const id = await defer("e-1")
    const { ok, out } = await run("dlq", "list")
    expect(ok).toBe(true)
    expect(out[0]).toMatch(/^AGE +ID +EVENT +DUE +REASON +TRIES +STREAM +USER +MODEL +ERROR$/)
    expect(out[1]).toMatch(
      new RegExp(`^ *\\d+s  ${id}  e-1 +in \\d+s +failed +2  transcribe  user-1  whisper-1  HTTP_503: BUSY:`)
    )
    const seconds = Number(/in (\d+)s/.exec(out[1]!)?.[1])
    expect(seconds).toBeLessThanOrEqual(15)
    expect(out.join("\n")).not.toContain("\u001b")
    expect(out[2]).toBe("1 waiting")
  })

  it("takes filters by error code, stream and age, and gives JSON, one object a line", async () => {
    await defer("e-1", "HTTP_503")
    await defer("e-2", "TIMEOUT")
    await defer("e-3", "TIMEOUT", process_)
    expect(eventIds((await run("dlq", "list", "--json")).out)).toEqual(["e-3", "e-2", "e-1"])
    expect(eventIds((await run("dlq", "list", "--json", "--reason", "TIMEOUT")).out)).toEqual(["e-3", "e-2"])
    expect(eventIds((await run("dlq", "list", "--json", "--stream", "process")).out)).toEqual(["e-3"])
    expect(eventIds((await run("dlq", "list", "--json", "--limit", "1")).out)).toEqual(["e-3"])
    expect((await run("dlq", "list", "--limit", "2")).out.at(-1)).toBe("2 of 3")
    expect((await run("dlq", "list", "--older-than", "1h")).out).toEqual(["no event is waiting for a retry"])
    const first = (await run("dlq", "list", "--json")).out.at(-1)
    expect(JSON.parse(first!)).toMatchObject({
      stream: dlq,
      retry: { attempt: 2, origin_stream: transcribe, error_code: "HTTP_503" },
      event: { event_id: "e-1", audio_seconds: "10.5" }
    })
  })
})

describe("abandoned", () => {
  it("show and why: the attempts as a table, those before a replay too, nothing of which steers the terminal", async () => {
    const attempt = {
      at: 1_767_000_000_000,
      error_code: "HTTP_503",
      error_message: "BUSY: \u001b[31mred",
      status: 503,
      duration_ms: 1_250,
      consumer: "replica-1"
    }
    const last = { ...attempt, at: attempt.at + 6_250, error_code: "TIMEOUT", status: null, error_message: "no answer" }
    const about = {
      reason: "exhausted" as const,
      attempts: 2,
      origin_stream: transcribe,
      origin_id: "1700000000000-0",
      first_failed_at: 0,
      abandoned_at: 0,
      error_code: "TIMEOUT",
      error_message: "no answer"
    }
    const more = { history: [attempt, last], replayed: [{ ...attempt, consumer: "replica-0" }] }
    await client.xadd(abandoned, "*", ...encodeAbandonedEntry(about, transcribeFields("e-1", Date.now()), more))
    for (const args of [
      ["abandoned", "show", "e-1"],
      ["why", "e-1"]
    ] as const) {
      const shown = (await run(...args)).out.join("\n").split("\n")
      const at = shown.indexOf("attempts before it was replayed")
      expect(shown.slice(at, at + 6)).toEqual([
        "attempts before it was replayed",
        "  time                      status  code      duration  replica    message",
        expect.stringMatching(/^ {2}2025-12-29T09:20:00\.000Z {2}503 +HTTP_503 {2}1250 ms +replica-0 {2}BUSY: .*red$/),
        "attempts",
        "  time                      status  code      duration  replica    message",
        expect.stringMatching(/^ {2}2025-12-29T09:20:00\.000Z {2}503 +HTTP_503 {2}1250 ms +replica-1 {2}BUSY: .*red$/)
      ])
      expect(shown[at + 6]).toBe("  2025-12-29T09:20:06.250Z  -       TIMEOUT   1250 ms   replica-1  no answer")
      expect(shown.join("")).not.toContain("\u001b")
      expect(JSON.parse((await run(...args, "--json")).out.join("\n"))).toMatchObject(
        args[0] === "why" ? { chapters: [more] } : more
      )
    }
  })

  it("list and show: filters by reason, stream and age, by id and event id", async () => {
    const old = await give("e-old", {}, `${Date.now() - 2 * hour}-0`)
    const rejected = await give("e-1", { reason: "rejected", error_code: "HTTP_422" })
    await give("e-2", { origin_stream: process_ })
    await client.xadd(abandoned, "*", "junk", "1")
    const { out } = await run("abandoned", "list")
    expect(out).toHaveLength(6)
    expect(out[0]).toMatch(/^AGE +ID +EVENT +REASON +TRIES +STREAM +USER +MODEL +ERROR$/)
    expect(out[3]).toMatch(new RegExp(`${rejected}  e-1    rejected +4  transcribe .* HTTP_422: BROKEN: try later$`))
    expect(out[1]).toContain("unreadable")
    expect(out[5]).toBe("4 abandoned")
    expect(eventIds((await run("abandoned", "list", "--json", "--reason", "rejected")).out)).toEqual(["e-1"])
    expect(eventIds((await run("abandoned", "list", "--json", "--stream", process_)).out)).toEqual(["e-2"])
    expect(eventIds((await run("abandoned", "list", "--json", "--older-than", "1 hour")).out)).toEqual(["e-old"])
    expect(eventIds((await run("abandoned", "list", "--json", "--newer-than", "1 hour")).out)).toEqual([
      null,
      "e-2",
      "e-1"
    ])
    expect(eventIds((await run("abandoned", "list", "--json", "e-2", old)).out)).toEqual(["e-2", "e-old"])
    const shown = (await run("abandoned", "show", rejected)).out.join("\n")
    expect(shown).toContain(`${abandoned} ${rejected}`)
    expect(shown).toMatch(/reason +rejected/)
    expect(shown).toMatch(/audio_seconds +10\.5/)
    expect(JSON.parse((await run("abandoned", "show", "e-1", "--json")).out.join("\n"))).toMatchObject({
      id: rejected,
      abandoned: { reason: "rejected", attempts: 4 },
      event: { user_id: "user-1" }
    })
    expect(await run("abandoned", "show", "e-9")).toMatchObject({
      ok: false,
      err: ["no abandoned entry has the id e-9"]
    })
  })

  it("replay puts the fields back unchanged at the origin's end, once, and remembers that it did", async () => {
    await give("e-1", { reason: "rejected" })
    await give("e-2")
    const dry = await run("abandoned", "replay", "--reason", "rejected", "--dry-run")
    expect(dry.out.at(-1)).toBe("would be: 1 replayed")
    expect(await client.xlen(abandoned)).toBe(2)
    expect(await client.exists(transcribe)).toBe(0)
    expect((await run("abandoned", "replay", "--reason", "rejected", "--yes")).out).toEqual(["1 replayed"])
    const [[id, fields] = ["", []]] = await client.xrange(transcribe, "-", "+")
    expect(fields.slice(0, 2)).toEqual(["event_id", "e-1"])
    expect(fields).toHaveLength(transcribeFields("e-1", 0).length + 2)
    const source = { stream: transcribe, id: "1700000000000-0" }
    expect(fields.slice(-2)).toEqual(["job-collector:replayed", JSON.stringify({ source, history: [] })])
    expect(await client.sismember(`{${transcribe}}:replayed`, id)).toBe(1)
    expect(await client.xlen(abandoned)).toBe(1)
    const json = await run("abandoned", "replay", "--all", "--yes", "--json")
    expect(JSON.parse(json.out[0]!)).toEqual({
      dry_run: false,
      matched: 1,
      replayed: 1,
      gone: 0,
      unreadable: 0,
      foreign_origin: 0,
      already_due: 0,
      settled: 0
    })
    expect((await run("abandoned", "list")).out).toEqual(["no abandoned event"])
  })

  it("replay leaves what cannot be read, and keeps to its rate", async () => {
    await client.xadd(abandoned, "*", "junk", "1")
    for (let i = 0; i < 5; i++) await give(`e-${i}`)
    const began = Date.now()
    expect((await run("abandoned", "replay", "--all", "--yes", "--rate", "10")).out).toEqual([
      "5 replayed, 1 unreadable, left in place"
    ])
    expect(Date.now() - began).toBeGreaterThanOrEqual(500)
    expect(await client.xlen(abandoned)).toBe(1)
  })

  it("replay writes to no stream that a forged origin names, but where --to-stream says", async () => {
    await give("e-1", { origin_stream: "sessions:\u001b[2Jadmin" })
    await give("e-2", { origin_stream: "shop:events:refund" })
    await give("e-3")
    await client.set("text", "no stream")
    await client.xgroup("CREATE", "shop:events:refund", "the-shop's", "$", "MKSTREAM")
    const said =
      "1 replayed, 2 left in place: this service is not set to read their origin stream " +
      "(sessions:\\u001b[2Jadmin); --to-stream <key> puts events elsewhere"
    expect((await run("abandoned", "replay", "--dry-run")).out.at(-1)).toBe(`would be: ${said}`)
    expect((await run("abandoned", "replay", "--all", "--yes")).out).toEqual([said])
    expect(await client.xlen("shop:events:refund")).toBe(0)
    expect(await client.xlen(abandoned)).toBe(2)
    expect(await run("abandoned", "replay", "e-1", "--yes")).toMatchObject({
      ok: false,
      err: ["1 of the entries named could not be replayed"]
    })
    for (const key of ["text", "typo"])
      expect(await run("abandoned", "replay", "e-2", "--to-stream", key, "--yes")).toMatchObject({
        ok: false,
        out: [],
        err: [`--to-stream ${key}: no consumer group reads such a stream`]
      })
    const moved = await run("abandoned", "replay", "e-2", "--to-stream", "shop:events:refund", "--yes")
    expect(moved).toMatchObject({ ok: true, out: ["1 replayed"] })
    expect(await client.xlen("shop:events:refund")).toBe(1)
    expect(await client.xlen(abandoned)).toBe(1)
  })

  it("replay goes past an event of more fields than a script can put back", async () => {
    const fields = Array.from({ length: 5_000 }, (_, i) => [`field-${i}`, "x"]).flat()
    await give("e-1", { reason: "invalid", error_code: "INVALID" }, "*", fields)
    await give("e-2")
    expect((await run("abandoned", "replay", "--dry-run")).out.at(-1)).toBe(
      "would be: 1 replayed, 1 unreadable, left in place"
    )
    expect((await run("abandoned", "replay", "--all", "--yes")).out).toEqual([
      "1 replayed, 1 unreadable, left in place"
    ])
    expect(await client.xlen(transcribe)).toBe(1)
  })

  it("replay and drop fail, with the rest done, where something named is not there or cannot be replayed", async () => {
    const first = await give("e-1")
    await give("e-2", { reason: "rejected" })
    const junk = (await client.xadd(abandoned, "*", "junk", "1")) as string
    const dry = await run("abandoned", "replay", "e-1", "e-9", "--dry-run")
    expect(dry).toMatchObject({ ok: false, err: ["no entry has the id e-9"] })
    expect(dry.out.at(-1)).toBe("would be: 1 replayed")
    expect(await run("abandoned", "replay", "e-9", first, "1-1", "--yes")).toEqual({
      ok: false,
      out: ["1 replayed"],
      err: ["no entry has the id e-9\nno entry has the id 1-1"]
    })
    expect(await run("abandoned", "replay", "e-1", "--json", "--yes")).toMatchObject({
      ok: false,
      out: [
        JSON.stringify({
          dry_run: false,
          matched: 0,
          replayed: 0,
          gone: 0,
          unreadable: 0,
          foreign_origin: 0,
          already_due: 0,
          settled: 0
        })
      ]
    })
    expect(await run("abandoned", "replay", "e-2", "--reason", "poison", "--yes")).toMatchObject({
      ok: false,
      err: ["no entry that matches the filters has the id e-2"]
    })
    expect(await run("abandoned", "replay", junk, "--yes")).toMatchObject({
      ok: false,
      err: ["1 of the entries named could not be replayed"]
    })
    expect(await run("abandoned", "drop", "e-9", junk, "--yes")).toEqual({
      ok: false,
      out: ["1 dropped"],
      err: ["no entry has the id e-9"]
    })
    expect(await run("abandoned", "replay", "e-2", "--yes")).toMatchObject({ ok: true, err: [] })
    expect(await run("abandoned", "replay", "--all", "--yes")).toMatchObject({ ok: true, out: ["0 replayed"] })
  })

  it("drop deletes what is named, and nothing by accident", async () => {
    const id = await give("e-1")
    await give("e-2", { reason: "poison", error_code: "POISON" })
    await client.xadd(abandoned, "*", "junk", "1")
    expect(await run("abandoned", "drop")).toMatchObject({ ok: false, err: [expect.stringContaining("--all")] })
    expect((await run("abandoned", "drop", "--all", "--dry-run")).out.at(-1)).toBe("would be: 3 dropped")
    expect(await client.xlen(abandoned)).toBe(3)
    expect((await run("abandoned", "drop", id, "--yes")).out).toEqual(["1 dropped"])
    expect((await run("abandoned", "drop", "--reason", "poison", "--yes")).out).toEqual(["1 dropped"])
    expect((await run("abandoned", "drop", "--all", "--yes")).out).toEqual(["1 dropped"])
    expect(await client.exists(transcribe)).toBe(0)
  })

  it("a replay of 10,000, stopped by Ctrl-C and killed on the way: each event once at the end", async () => {
    for (let at = 0; at < 10_000; at += 1_000) {
      const pipeline = client.pipeline()
      for (let i = at; i < at + 1_000; i++) {
        pipeline.xadd(
          abandoned,
          "*",
          ...encodeAbandonedEntry(
            {
              reason: "exhausted",
              attempts: 4,
              origin_stream: transcribe,
              origin_id: `1700000000000-${i}`,
              first_failed_at: 1_700_000_000_000,
              abandoned_at: 1_700_000_065_000,
              error_code: "HTTP_500",
              error_message: "BROKEN"
            },
            ["event_id", `e-${i}`]
          )
        )
      }
      await pipeline.exec()
    }
    const replaying = (signal: NodeJS.Signals, whenBack: number) =>
      new Promise<{ readonly code: number | null; readonly err: string }>((resolve, reject) => {
        // So slow that it is on its way still when it is told.
        const child = spawn(
          process.execPath,
          ["src/bin.ts", "abandoned", "replay", "--all", "--yes", "--rate", "400"],
          {
            env: { ...process.env, REDIS_URL: redis.url },
            stdio: ["ignore", "ignore", "pipe"]
          }
        )
        let err = ""
        child.stderr.on("data", (data) => {
          err += data
        })
        child.once("error", reject)
        child.once("close", (code) => resolve({ code, err }))
        waitUntil("it is on its way", async () => (await client.xlen(transcribe)) >= whenBack, 30_000).then(
          () => child.kill(signal),
          reject
        )
      })
    const stopped = await replaying("SIGINT", 200)
    expect(stopped.code).toBe(0)
    const first = await client.xlen(transcribe)
    expect(stopped.err).toContain(`stopped: ${first} replayed`)
    expect(first).toBeLessThan(10_000)
    expect(first + (await client.xlen(abandoned))).toBe(10_000)
    await replaying("SIGKILL", first + 200)
    expect((await client.xlen(transcribe)) + (await client.xlen(abandoned))).toBe(10_000)
    const left = await client.xlen(abandoned)
    expect(left).toBeGreaterThan(0)
    expect((await run("abandoned", "replay", "--all", "--yes", "--rate", "100000")).out).toEqual([
      `${left.toLocaleString("en-US")} replayed`
    ])
    const back = (await client.xrange(transcribe, "-", "+")).map(([, fields]) => fields[1])
    expect(back).toHaveLength(10_000)
    expect(new Set(back).size).toBe(10_000)
    expect(await client.xlen(abandoned)).toBe(0)
  }, 90_000)
})

describe("why", () => {
  const story = async (eventId: string) => JSON.parse((await run("why", eventId, "--json")).out.join("\n"))

  it("tells where an event stands: waiting, in hand, acknowledged, deferred, abandoned, unknown", async () => {
    for (const id of ["e-1", "e-2", "e-3"]) await client.xadd(transcribe, "*", ...transcribeFields(id, Date.now()))
    await client.xgroup("CREATE", transcribe, group, "0")
    await client.set(`{${transcribe}}:start:${group}`, "0")
    const read = await client.xreadgroup("GROUP", group, "c-1", "COUNT", 2, "STREAMS", transcribe, ">")
    const first = read?.[0]?.[1][0]?.[0] ?? ""
    await client.xack(transcribe, group, first)
    const deferred = await defer("d-1")
    const given = await give("a-1")
    expect(await story("e-1")).toMatchObject({
      event_id: "e-1",
      chapters: [{ place: "source", stream: transcribe, id: first, state: "acknowledged", replayed: false }],
      verdict: expect.stringContaining("acknowledged")
    })
    expect(await story("e-2")).toMatchObject({
      chapters: [{ state: "pending", holding: { consumer: "c-1", deliveries: 1 } }],
      verdict: expect.stringContaining("held by c-1")
    })
    expect(await story("e-3")).toMatchObject({ chapters: [{ state: "waiting" }], verdict: "it is waiting to be read" })
    expect(await story("d-1")).toMatchObject({
      chapters: [{ place: "dlq", id: deferred, retry: { attempt: 2, error_code: "HTTP_503" } }],
      verdict: expect.stringContaining("attempt 2 failed with HTTP_503; the next one is due in")
    })
    expect(await story("a-1")).toMatchObject({
      chapters: [{ place: "abandoned", id: given, abandoned: { reason: "exhausted" } }],
      verdict: expect.stringContaining(`abandoned replay ${given}`)
    })
    expect((await run("why", "nobody")).ok).toBe(false)
    expect(await story("nobody")).toMatchObject({
      chapters: [],
      verdict: expect.stringContaining("nothing is known of it")
    })
    const text = (await run("why", "a-1")).out.join("\n")
    expect(text).toContain("abandoned as exhausted")
    expect(text).toContain("event.abandoned")
  })
})

describe("what a command needs", () => {
  it("only its own settings, each offending one named in a line of its own", async () => {
    const bad = await commandLine({ REDIS_URL: "nonsense", STREAM_DLQ: " ", API_BASE_URL: "also bad" }, "dlq", "list")
    expect(bad.ok).toBe(false)
    expect(
      bad.err
        .at(-1)
        ?.split("\n")
        .map((line) => line.split(":")[0])
    ).toEqual(["REDIS_URL", "STREAM_DLQ"])
    const others = { SOURCE_RETENTION: "foo", GROUP_START_ID: "x", CONSUMER_NAME: "a b", CLAIM_IDLE: "60s" }
    for (const args of [
      ["dlq", "list"],
      ["abandoned", "list"],
      ["abandoned", "replay", "--dry-run"]
    ] as const) {
      expect(await commandLine({ REDIS_URL: redis.url, ...others }, ...args)).toMatchObject({ ok: true, err: [] })
    }
    const sync = { CONFIG_DIR: "/nowhere", CONFIG_SYNC: "maybe", CONFIG_SYNC_INTERVAL: "1m", CONFIG_DRIFT: "x" }
    expect(await commandLine(sync, "config", "show")).toMatchObject({ ok: true, err: [] })
  })

  it("a server: not the engine in the service's own memory, and one that answers", async () => {
    expect(await commandLine({ REDIS_URL: "memory:" }, "abandoned", "list")).toMatchObject({
      ok: false,
      err: [expect.stringContaining("REDIS_URL: memory: exists only inside the service's process")]
    })
    const nobody = await commandLine({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` }, "dlq", "list")
    expect(nobody).toMatchObject({ ok: false, err: [expect.stringMatching(/^Redis at .*ECONNREFUSED/)] })
    const refused = await commandLine({ REDIS_URL: redis.url.replace("//", "//who:secret-word@") }, "dlq", "list")
    expect(refused).toMatchObject({ ok: false, err: [expect.stringContaining("WRONGPASS")] })
    expect(JSON.stringify(refused)).not.toContain("secret-word")
  })
})
