import { Result } from "effect"
import { Hex } from "effect/encoding"
import { describe, expect, it } from "vitest"
import { isStrictSignature, publicKeyProblem } from "../../src/domain/signing/ed25519.ts"

const bytes = (hex: string) => Result.getOrThrow(Hex.decode(hex))
const encode = (y: bigint, sign = 0n) =>
  Uint8Array.from({ length: 32 }, (_, i) => Number(((y | (sign << 255n)) >> BigInt(8 * i)) & 0xffn))
const P = 2n ** 255n - 19n
const L = 2n ** 252n + 27742317777372353535851937790883648493n

// The eight points of small order: order 1, 2, 4 (two), 8 (four).
const smallOrder = [
  encode(1n),
  encode(P - 1n),
  encode(0n),
  encode(0n, 1n),
  bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
  bytes("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"),
  bytes("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
  bytes("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa")
]

describe("the policy on public keys", () => {
  it.each(smallOrder.map((key) => Hex.encode(key)))("refuses small order %s", (key) => {
    expect(publicKeyProblem(bytes(key))).toBe("is of small order")
  })

  it("refuses y ≥ p, all nineteen of them, with and without the sign", () => {
    for (let y = P; y < 2n ** 255n; y++) {
      for (const sign of [0n, 1n]) expect(publicKeyProblem(encode(y, sign))).toMatch(/not canonical/)
    }
  })

  it("refuses a sign on x = 0", () => {
    expect(publicKeyProblem(encode(1n, 1n))).toMatch(/sign on x = 0/)
    expect(publicKeyProblem(encode(P - 1n, 1n))).toMatch(/sign on x = 0/)
  })

  it("refuses what is not on the curve, and other lengths", () => {
    expect(publicKeyProblem(encode(2n))).toBe("is not a point of the curve")
    expect(publicKeyProblem(new Uint8Array(31))).toMatch(/31 bytes/)
    expect(publicKeyProblem(new Uint8Array(33))).toMatch(/33 bytes/)
  })

  it("takes a key of RFC 8032", () => {
    expect(publicKeyProblem(bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))).toBeUndefined()
  })
})

describe("the policy on signatures", () => {
  const r = bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
  const signature = (R: Uint8Array, s: bigint) => Uint8Array.of(...R, ...encode(s))

  it("wants S < L", () => {
    expect(isStrictSignature(signature(r, 0n))).toBe(true)
    expect(isStrictSignature(signature(r, L - 1n))).toBe(true)
    expect(isStrictSignature(signature(r, L))).toBe(false)
    expect(isStrictSignature(signature(r, 2n ** 255n))).toBe(false)
  })

  it("wants R canonical and not of small order", () => {
    for (const point of smallOrder) expect(isStrictSignature(signature(point, 1n))).toBe(false)
    for (let y = P; y < 2n ** 255n; y++) expect(isStrictSignature(signature(encode(y), 1n))).toBe(false)
    expect(isStrictSignature(signature(encode(1n, 1n), 1n))).toBe(false)
  })

  it("wants 64 bytes", () => {
    expect(isStrictSignature(new Uint8Array(0))).toBe(false)
    expect(isStrictSignature(signature(r, 1n).slice(0, 63))).toBe(false)
    expect(isStrictSignature(Uint8Array.of(...signature(r, 1n), 0))).toBe(false)
  })
})
