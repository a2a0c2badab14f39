import { generateKeyPairSync } from "node:crypto"
import { Redacted, Result } from "effect"
import { Base64, Base64Url, Hex } from "effect/encoding"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { formatKeyPair, KEY_FORMATS } from "../../src/domain/signing/keyPair.ts"
import { parsePrivateKey, pkcs8Of } from "../../src/domain/signing/privateKey.ts"
import { parsePublicKey, spkiOf } from "../../src/domain/signing/publicKey.ts"
import { rfc8032 } from "../support/vectors.ts"

const bytes = (hex: string) => Result.getOrThrow(Hex.decode(hex))
const seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7fff"
const publicKey = rfc8032[0]!.publicKey
const pem = (label: string, der: Uint8Array | string, eol = "\n") =>
  [
    `-----BEGIN ${label}-----`,
    ...(Base64.encode(typeof der === "string" ? bytes(der) : der).match(/.{1,64}/g) ?? []),
    `-----END ${label}-----`
  ].join(eol)
const pkcs8 = pkcs8Of(bytes(seed))

const readPrivate = (text: string) => parsePrivateKey(Redacted.make(text))
const seedOf = (text: string) => Hex.encode(Redacted.value(Result.getOrThrow(readPrivate(text)).seed))
const problemOf = (text: string) => Result.match(readPrivate(text), { onFailure: (it) => it, onSuccess: () => "none" })

describe("private key", () => {
  const padded = Base64.encode(bytes(seed))
  const good: ReadonlyArray<[form: string, text: string]> = [
    ["hex", seed],
    ["hex in capitals", seed.toUpperCase()],
    ["hex with a line end", `${seed}\n`],
    ["hex in quotes", `"${seed}"`],
    ["base64", padded],
    ["base64 without padding", padded.slice(0, 43)],
    ["base64url", Base64Url.encode(bytes(seed))],
    ["base64url with padding", `${Base64Url.encode(bytes(seed))}=`],
    ["PEM", pem("PRIVATE KEY", pkcs8)],
    ["PEM as a file", `${pem("PRIVATE KEY", pkcs8)}\n`],
    ["PEM with CRLF", `${pem("PRIVATE KEY", pkcs8, "\r\n")}\r\n`],
    ["PEM with \\n written out", pem("PRIVATE KEY", pkcs8, "\\n")],
    ["PEM with \\r\\n written out", `${pem("PRIVATE KEY", pkcs8, "\\r\\n")}\\r\\n`],
    ["PEM with \\n written out, in quotes", `"${pem("PRIVATE KEY", pkcs8, "\\n")}\\n"`],
    ["PEM with spaces for line ends", pem("PRIVATE KEY", pkcs8, " ")],
    ["PEM with surrounding space", `  \n${pem("PRIVATE KEY", pkcs8)}\n  `],
    ["PEM with attributes", pem("PRIVATE KEY", `3030020100300506032b657004220420${seed}a000`)],
    ["PEM version 2", pem("PRIVATE KEY", `3051020101300506032b657004220420${seed}812100${publicKey}`)],
    [
      "PEM version 2, tagged twice",
      pem("PRIVATE KEY", `3053020101300506032b657004220420${seed}a123032100${publicKey}`)
    ],
    [
      "PEM version 2 with attributes",
      pem("PRIVATE KEY", `3053020101300506032b657004220420${seed}a000812100${publicKey}`)
    ]
  ]
  it.each(good)("is read from %s", (_, text) => {
    expect(seedOf(text)).toBe(seed)
  })

  it("keeps the public key of a version 2 PEM", () => {
    const read = readPrivate(pem("PRIVATE KEY", `3051020101300506032b657004220420${seed}812100${publicKey}`))
    expect(Hex.encode(Result.getOrThrow(read).publicKey!)).toBe(publicKey)
    expect(Result.getOrThrow(readPrivate(seed)).publicKey).toBeUndefined()
  })

  it("is read from what Node writes", () => {
    const { privateKey } = generateKeyPairSync("ed25519")
    const jwk = privateKey.export({ format: "jwk" })
    const read = seedOf(privateKey.export({ format: "pem", type: "pkcs8" }).toString())
    expect(read).toBe(seedOf(jwk.d!))
  })

  const ofNode = (type: "x25519" | "ed448" | "x448") =>
    generateKeyPairSync(type as "x25519")
      .privateKey.export({ format: "pem", type: "pkcs8" })
      .toString()
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
  const ed = generateKeyPairSync("ed25519")
  const bad: ReadonlyArray<[form: string, text: string, rule: RegExp]> = [
    ["nothing", "", /empty/],
    ["spaces", " \n", /empty/],
    ["hex one digit short", seed.slice(1), /63 hex digits; it must be 64/],
    ["hex with 0x", `0x${seed}`, /without `0x`/],
    ["64 bytes of hex", seed + publicKey, /64 bytes, an expanded key/],
    ["64 bytes of base64", Base64.encode(bytes(seed + publicKey)), /64 bytes, an expanded key/],
    ["31 bytes of base64", Base64.encode(bytes(seed).slice(1)), /31 bytes; it must be 32/],
    ["33 bytes of base64", Base64.encode(Uint8Array.of(0xff, ...bytes(seed))), /33 bytes; it must be 32/],
    ["base64 of an impossible length", "A".repeat(41), /41 hex digits|impossible length/],
    ["base64 with stray bits", `${padded.slice(0, 42)}9=`, /stray bits/],
    ["base64 with too much padding", `${padded}=`, /padding/],
    ["mixed alphabets", `+_${padded.slice(2)}`, /a character of none of them/],
    ["inner space", `${padded.slice(0, 20)} ${padded.slice(20)}`, /a character of none of them/],
    ["words", "correct horse battery staple!", /a character of none of them/],
    ["DER without PEM", Base64.encode(pkcs8), /48 bytes, probably DER/],
    ["PEM without its end", pem("PRIVATE KEY", pkcs8).slice(0, -5), /one PEM block/],
    [
      "PEM with other labels at its ends",
      pem("PRIVATE KEY", pkcs8).replace("END PRIVATE", "END PUBLIC"),
      /one PEM block/
    ],
    ["two PEMs", `${pem("PRIVATE KEY", pkcs8)}\n${pem("PRIVATE KEY", pkcs8)}`, /one PEM block/],
    ["text before a PEM", `key:\n${pem("PRIVATE KEY", pkcs8)}`, /one PEM block/],
    ["PEM of no base64", "-----BEGIN PRIVATE KEY-----\nAAAAA\n-----END PRIVATE KEY-----", /not base64/],
    ["PEM of other bytes", pem("PRIVATE KEY", "00"), /no PKCS#8/],
    ["PEM cut short", pem("PRIVATE KEY", pkcs8.slice(0, -1)), /no PKCS#8/],
    ["PEM with bytes after", pem("PRIVATE KEY", Uint8Array.of(...pkcs8, 0)), /no PKCS#8/],
    ["PEM with a long length", pem("PRIVATE KEY", `30812e020100300506032b657004220420${seed}`), /no PKCS#8/],
    ["PEM of version 2 without a key", pem("PRIVATE KEY", `302e020101300506032b657004220420${seed}`), /version/],
    [
      "PEM of version 1 with a key",
      pem("PRIVATE KEY", `3051020100300506032b657004220420${seed}812100${publicKey}`),
      /version/
    ],
    ["PEM with parameters", pem("PRIVATE KEY", `3030020100300706032b6570050004220420${seed}`), /parameters/],
    ["PEM of 33 bytes", pem("PRIVATE KEY", `302f020100300506032b65700423042100${seed}`), /one seed of 32 bytes/],
    ["PEM with more", pem("PRIVATE KEY", `3030020100300506032b657004220420${seed}0500`), /more in it/],
    ["public key PEM", ed.publicKey.export({ format: "pem", type: "spki" }).toString(), /is a public key/],
    [
      "encrypted PEM",
      ed.privateKey.export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "x" }).toString(),
      /encrypted/
    ],
    [
      "encrypted RSA PEM of the old kind",
      rsa.export({ format: "pem", type: "pkcs1", cipher: "aes-256-cbc", passphrase: "x" }).toString(),
      /encrypted/
    ],
    ["RSA PEM", rsa.export({ format: "pem", type: "pkcs8" }).toString(), /an RSA key/],
    ["RSA PEM of the old kind", rsa.export({ format: "pem", type: "pkcs1" }).toString(), /an RSA key/],
    ["EC PEM", ec.export({ format: "pem", type: "pkcs8" }).toString(), /an EC key/],
    ["EC PEM of the old kind", ec.export({ format: "pem", type: "sec1" }).toString(), /an EC key/],
    ["X25519 PEM", ofNode("x25519"), /an X25519 key/],
    ["X448 PEM", ofNode("x448"), /an X448 key/],
    ["Ed448 PEM", ofNode("ed448"), /an Ed448 key/],
    ["OpenSSH PEM", pem("OPENSSH PRIVATE KEY", pkcs8), /OpenSSH/],
    ["certificate", pem("CERTIFICATE", pkcs8), /of the kind CERTIFICATE/]
  ]
  it.each(bad)("is not read from %s, and none of it is repeated", (_, text, rule) => {
    const problem = problemOf(text)
    expect(problem).toMatch(rule)
    for (let at = 0; at + 8 <= text.length; at++) {
      const part = text.slice(at, at + 8)
      if (/^[A-Za-z0-9+/=_-]{8}$/.test(part) && !/-{2}|CERTIFIC|RTIFICAT|TIFICATE|ERTIFICA/.test(part)) {
        expect(problem).not.toContain(part)
      }
    }
  })

  it("shows itself nowhere", () => {
    const read = Result.getOrThrow(readPrivate(seed))
    const shown = `${JSON.stringify(read)} ${String(read.seed)} ${JSON.stringify(Object.entries(read))}`
    expect(shown).toContain("redacted")
    expect(shown).not.toContain("157,97,177")
    expect(shown).not.toContain(seed.slice(0, 8))
  })
})

describe("whatever the text", () => {
  const written = [
    seed,
    Base64.encode(bytes(seed)),
    pem("PRIVATE KEY", pkcs8),
    `"${pem("PUBLIC KEY", spkiOf(bytes(publicKey)))}"`
  ]
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.base64String(),
    fc.tuple(fc.constantFrom(...written), fc.nat(), fc.string({ maxLength: 3 })).map(([whole, at, put]) => {
      const place = at % whole.length
      return whole.slice(0, place) + put + whole.slice(place + put.length)
    })
  )

  it("a key is read or refused with a rule, never thrown at", () => {
    fc.assert(
      fc.property(text, (it) => {
        const secret = readPrivate(it)
        if (Result.isSuccess(secret)) expect(Redacted.value(secret.success.seed)).toHaveLength(32)
        else expect(secret.failure).toMatch(/^(is|must|holds|gives) /)
        const open = parsePublicKey(it)
        if (Result.isSuccess(open)) expect(open.success).toHaveLength(32)
        else expect(open.failure).toMatch(/^(is|must|holds|gives) /)
      }),
      { numRuns: 2_000 }
    )
  })

  it("any one byte of a PKCS#8 changed makes another seed or none", () => {
    for (let at = 0; at < pkcs8.length; at++) {
      for (const change of [1, 2, 0x10, 0x80, 0xff]) {
        const changed = Uint8Array.from(pkcs8)
        changed[at] = changed[at]! ^ change
        const read = readPrivate(pem("PRIVATE KEY", changed))
        if (at < 16) expect(Result.isFailure(read), `byte ${at}`).toBe(true)
        else expect(Hex.encode(Redacted.value(Result.getOrThrow(read).seed))).not.toBe(seed)
      }
    }
  })
})

describe("public key", () => {
  const good: ReadonlyArray<[form: string, text: string]> = [
    ["hex", publicKey],
    ["base64", Base64.encode(bytes(publicKey))],
    ["base64url", Base64Url.encode(bytes(publicKey))],
    ["SPKI PEM", pem("PUBLIC KEY", spkiOf(bytes(publicKey)))],
    ["SPKI PEM on one line", pem("PUBLIC KEY", spkiOf(bytes(publicKey)), "\\n")]
  ]
  it.each(good)("is read from %s", (_, text) => {
    expect(Hex.encode(Result.getOrThrow(parsePublicKey(text)))).toBe(publicKey)
  })

  const bad: ReadonlyArray<[form: string, text: string, rule: RegExp]> = [
    ["a short text", publicKey.slice(2), /62 hex digits/],
    ["a private key PEM", pem("PRIVATE KEY", pkcs8), /must be PUBLIC KEY/],
    ["a point of small order", `01${"00".repeat(31)}`, /small order/],
    ["a y beyond p", `${"ff".repeat(31)}7f`, /not canonical/],
    ["no point", `02${"00".repeat(31)}`, /not a point/],
    ["an SPKI cut short", pem("PUBLIC KEY", spkiOf(bytes(publicKey)).slice(0, -1)), /no SPKI/],
    ["an SPKI with unused bits", pem("PUBLIC KEY", `302a300506032b6570032101${publicKey}`), /no SPKI/],
    [
      "an X25519 PEM",
      generateKeyPairSync("x25519").publicKey.export({ format: "pem", type: "spki" }).toString(),
      /X25519/
    ]
  ]
  it.each(bad)("is not read from %s", (_, text, rule) => {
    expect(Result.match(parsePublicKey(text), { onFailure: (it) => it, onSuccess: () => "none" })).toMatch(rule)
  })
})

describe("a key pair as an env file takes it", () => {
  const pair = { seed: Redacted.make(bytes(rfc8032[0]!.secretKey)), publicKey: bytes(publicKey) }

  it.each(KEY_FORMATS)("is read back from %s", (format) => {
    const lines = formatKeyPair(pair, format).split("\n")
    expect(lines).toHaveLength(2)
    const [, privateKey] = /^ED25519_PRIVATE_KEY=(.+)$/.exec(lines[0]!) ?? []
    const [, publicPart] = /^ED25519_PUBLIC_KEY=(.+)$/.exec(lines[1]!) ?? []
    // As it stands (readers that keep the quotes), and with quotes and escapes undone (those that do not).
    for (const undo of [(it: string) => it, (it: string) => it.replaceAll('"', "").replaceAll("\\n", "\n")]) {
      expect(seedOf(undo(privateKey!))).toBe(rfc8032[0]!.secretKey)
      expect(Hex.encode(Result.getOrThrow(parsePublicKey(undo(publicPart!))))).toBe(publicKey)
    }
  })
})
