import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { type KindRequest, make, type Prepared, type ReadContext } from "../../src/domain/events/eventKind.ts"
import { nativeEd25519 } from "../../src/index.ts"

const context: ReadContext = {
  source: { stream: "shop:events:refund", id: "1-0" },
  now: 0,
  firstReading: true,
  maxAgeMs: 1,
  maxSkewMs: 1,
  partedBy: [],
  sha256: nativeEd25519.sha256
}

const prepare = (request: (event: { readonly event_id: string }) => KindRequest) =>
  make({
    name: "refund",
    stream: "shop:events:refund",
    schema: Schema.Struct({ event_id: Schema.NonEmptyString }),
    request
  }).prepare(["event_id", "r-1"], context) as Prepared

const described = (more: Partial<KindRequest> = {}): KindRequest => ({
  path: "/api/refunds",
  body: { cents: 5 },
  idempotencyKey: "r-1",
  ...more
})

const problem = (request: () => KindRequest): string => {
  const prepared = prepare(request)
  assert(Result.isFailure(prepared))
  return prepared.failure.message
}

describe("an event kind of a host app's own", () => {
  it("makes the request it describes", () => {
    const prepared = prepare(({ event_id }) => described({ idempotencyKey: event_id }))
    assert(Result.isSuccess(prepared))
    const { body, eventId, path } = prepared.success
    assert.deepStrictEqual([path, eventId, new TextDecoder().decode(body)], ["/api/refunds", "r-1", '{"cents":5}'])
  })

  it("names the whole path of a field that its schema refuses", () => {
    const kind = make({
      name: "basket",
      stream: "shop:events:basket",
      schema: Schema.Struct({ items: Schema.Array(Schema.Struct({ price: Schema.Struct({ cents: Schema.Int }) })) }),
      request: () => described()
    })
    const read = (data: unknown) => kind.prepare(["data", JSON.stringify(data)], context) as Prepared
    const prepared = read({ items: [{ price: { cents: 1 } }, { price: { cents: "none" } }] })
    assert(Result.isFailure(prepared))
    assert.match(prepared.failure.message, /^items\[1\]\.price\.cents: /)
  })

  it("makes an event invalid whose headers or method cannot be sent", () => {
    const headers = (given: Record<string, string>) => problem(() => described({ headers: given }))
    assert.strictEqual(
      headers({ Authorization: "x" }),
      "headers: must not have authorization, which is the collector's own"
    )
    assert.strictEqual(headers({ "x-a": "1\r\nx-b: 2" }), 'headers: must be names and values of HTTP: "x-a" is not')
    assert.strictEqual(
      problem(() => described({ method: JSON.parse('"GET"') })),
      "method: must be POST, PUT, PATCH or DELETE"
    )
  })

  it("makes an event invalid whose request cannot be built", () => {
    const throws = () => {
      throw new Error("no price is known")
    }
    assert.strictEqual(problem(throws), "no price is known")
    assert.strictEqual(
      problem(() => described({ body: 1n })),
      "entry: must make a request: its JSON cannot be built"
    )
    assert.strictEqual(
      problem(() => described({ body: undefined })),
      "entry: must make a request: its JSON cannot be built"
    )
    assert.strictEqual(
      problem(() => JSON.parse("null")),
      "entry: must make a request: its kind gives no path and key"
    )
    assert.strictEqual(
      problem(() => described({ path: "refunds" })),
      "path: must start with /"
    )
    assert.strictEqual(
      problem(() => described({ idempotencyKey: "" })),
      "idempotencyKey: must be 1 to 128 characters of ! to ~"
    )
  })
})
