import { Result } from "effect"
import { Hex } from "effect/encoding"
import { describe, expect, it } from "vitest"
import {
  authorizationHeader,
  parseAuthorization,
  SERVICE_ID,
  signingString
} from "../../src/domain/signing/signature.ts"
import vectors from "../vectors/request_signature_v1.json" with { type: "json" }

describe("the request signature", () => {
  it.each(vectors)("signs the text of the vectors ($timestamp, $service_id)", (vector) => {
    expect(signingString(vector.timestamp, vector.body_sha256_hex, vector.service_id)).toBe(vector.signing_string)
  })

  it.each(vectors)("writes and reads back the header of the vectors ($timestamp, $service_id)", (vector) => {
    const read = Result.getOrThrow(parseAuthorization(vector.authorization))
    expect(read.timestamp).toBe(vector.timestamp)
    expect(read.signature).toHaveLength(64)
    expect(authorizationHeader(read.timestamp, read.signature)).toBe(vector.authorization)
  })

  const signature = "A".repeat(85)
  const rules: ReadonlyArray<[header: string, rule: RegExp]> = [
    ["", /start with/],
    ["Bearer token", /start with/],
    [`ed25519 1:${signature}A==`, /start with/],
    [`Ed25519\t1:${signature}A==`, /start with/],
    [` Ed25519 1:${signature}A==`, /start with/],
    ["Ed25519 1", /`:`/],
    [`Ed25519  1:${signature}A==`, /timestamp/],
    [`Ed25519 :${signature}A==`, /timestamp/],
    [`Ed25519 01:${signature}A==`, /timestamp/],
    [`Ed25519 -1:${signature}A==`, /timestamp/],
    [`Ed25519 +1:${signature}A==`, /timestamp/],
    [`Ed25519 1.5:${signature}A==`, /timestamp/],
    [`Ed25519 1e3:${signature}A==`, /timestamp/],
    [`Ed25519 0x1:${signature}A==`, /timestamp/],
    [`Ed25519 ${Number.MAX_SAFE_INTEGER + 1}:${signature}A==`, /timestamp/],
    ["Ed25519 1:", /base64/],
    [`Ed25519 1:${signature}A`, /base64/],
    [`Ed25519 1:${signature}A=`, /base64/],
    [`Ed25519 1:${signature}A== `, /base64/],
    [`Ed25519 1:${signature}A==\n`, /base64/],
    [`Ed25519 1:${signature}B==`, /base64/],
    [`Ed25519 1:${signature.slice(1)}-A==`, /base64/],
    [`Ed25519 1:${signature.slice(4)}A==`, /base64/],
    [`Ed25519 1:${signature}AAAA==`, /base64/],
    [`Ed25519 1:2:${signature}A==`, /base64/]
  ]
  it.each(rules)("refuses %j, naming the rule", (header, rule) => {
    const read = parseAuthorization(header)
    expect(Result.isFailure(read) && read.failure).toMatch(rule)
  })

  it("reads the extremes", () => {
    const read = Result.getOrThrow(parseAuthorization(`Ed25519 ${Number.MAX_SAFE_INTEGER}:${"/".repeat(85)}w==`))
    expect(read.timestamp).toBe(Number.MAX_SAFE_INTEGER)
    expect(Hex.encode(read.signature)).toBe("ff".repeat(64))
  })

  it("knows a service id", () => {
    for (const good of ["a", "job-collector", "job-collector-eu_2", "x".repeat(64)]) expect(good).toMatch(SERVICE_ID)
    for (const bad of ["", "x".repeat(65), "a b", "a\n", "ä", "a:b", "a.b"]) expect(bad).not.toMatch(SERVICE_ID)
  })
})
