import { hash, hashes, Point, utils } from "@noble/ed25519"
import { sha512 } from "@noble/hashes/sha2.js"
import { Result } from "effect"
import { Hex } from "effect/encoding"
import { describe, expect, it } from "vitest"
import { littleEndian } from "../../src/domain/signing/bytes.ts"
import { publicKeyProblem } from "../../src/domain/signing/ed25519.ts"
import { native } from "../../src/layers/signing/native.ts"
import { noble } from "../../src/layers/signing/noble.ts"

const ORDER = Point.CURVE().n
const encode = (n: bigint) => Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))

// Keys and Rs with a part of small order are where the equations with and without cofactor part ways.
describe("both implementations give the same answer on keys and signatures of mixed order", () => {
  hashes.sha512 = sha512
  const torsion = Point.fromBytes(
    Result.getOrThrow(Hex.decode("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"))
  )
  const multiples = Array.from({ length: 8 }, (_, i) => torsion.multiply(BigInt(i), false))

  it.each(multiples.map((_, i) => i))("A with %i times the point of order 8", (ofA) => {
    const seed = new Uint8Array(32).fill(ofA + 1)
    const { point, scalar } = utils.getExtendedPublicKey(seed)
    const publicKey = point.add(multiples[ofA]!).toBytes()
    expect(publicKeyProblem(publicKey)).toBeUndefined()
    const byNative = native.verifier(publicKey)
    const byNoble = noble.verifier(publicKey)
    let taken = 0
    for (let ofR = 0; ofR < 8; ofR++) {
      for (let round = 0; round < 4; round++) {
        const message = Uint8Array.of(ofA, ofR, round)
        const r = littleEndian(hash(message)) % ORDER
        const R = Point.BASE.multiply(r).add(multiples[ofR]!).toBytes()
        const k = littleEndian(hash(Uint8Array.of(...R, ...publicKey, ...message))) % ORDER
        const signature = Uint8Array.of(...R, ...encode((r + k * scalar) % ORDER))
        const expected = (BigInt(ofR) + k * BigInt(ofA)) % 8n === 0n
        expect(byNative(message, signature), `native, R with ${ofR}`).toBe(expected)
        expect(byNoble(message, signature), `noble, R with ${ofR}`).toBe(expected)
        if (expected) taken++
      }
    }
    if (ofA === 0) expect(taken).toBe(4)
  })

  it("signs the same bytes for seeds and messages of all lengths", () => {
    for (let length = 0; length < 200; length += 11) {
      const seed = noble.sha256(new Uint8Array(length))
      const message = new Uint8Array(length).fill(length)
      const a = native.signer(seed)
      const b = noble.signer(seed)
      expect(a.publicKey).toEqual(b.publicKey)
      expect(Hex.encode(a.sign(message))).toBe(Hex.encode(b.sign(message)))
      expect(Hex.encode(native.sha256(message))).toBe(Hex.encode(noble.sha256(message)))
    }
  })
})
