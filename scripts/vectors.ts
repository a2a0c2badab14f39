/** Writes vectors/: whole requests, keys and signatures with the verdict that every verifier must give. Run: npm run vectors */
import { createHash } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { pathToFileURL } from "node:url"
import { authorizationHeader, signingString } from "../src/domain/signing/signature.ts"
import { native } from "../src/layers/signing/native.ts"
import { isStrictSignature, publicKeyProblem } from "../src/verifier/ed25519.ts"

const root = new URL("../", import.meta.url)
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest()
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")
const idOf = (publicKey: Uint8Array) => hex(sha256(publicKey)).slice(0, 16)

const first = native.signer(new Uint8Array(32).fill(1))
const second = native.signer(new Uint8Array(32).fill(2))
const stranger = native.signer(new Uint8Array(32).fill(3))

const at = 1_766_400_000
const ms = at * 1000
const service = "job-collector"
const json = '{"event_id":"evt-1","audio_seconds":10.5}'

type Headers = Readonly<Record<string, string>>

interface Step {
  readonly now_ms: number
  readonly method: string
  readonly headers: Headers
  readonly body_base64: string
  /** `ok`, or the reason of the refusal. */
  readonly expected: string
}

interface Signing {
  readonly time?: number
  readonly by?: typeof first
  readonly serviceId?: string
  readonly body?: string | Uint8Array
  readonly text?: (timestamp: number, digest: string, serviceId: string) => string
}

const bytesOf = (body: string | Uint8Array) => (typeof body === "string" ? Buffer.from(body) : body)

const signatureOf = ({ body = json, by = first, serviceId = service, text = signingString, time = at }: Signing = {}) =>
  by.sign(Buffer.from(text(time, hex(sha256(bytesOf(body))), serviceId)))

const headersOf = (signing: Signing = {}): Headers => ({
  authorization: authorizationHeader(signing.time ?? at, signatureOf(signing)),
  "x-service-id": signing.serviceId ?? service
})

const step = (
  expected: string,
  headers: Headers,
  rest: Partial<Omit<Step, "headers">> & { body?: string | Uint8Array } = {}
): Step => {
  const { body = json, method = "POST", now_ms = ms } = rest
  return { now_ms, method, headers, body_base64: Buffer.from(bytesOf(body)).toString("base64"), expected }
}

interface Vector {
  readonly id: string
  readonly replay_guard?: number
  readonly steps: ReadonlyArray<Step>
}

const one = (id: string, ...args: Parameters<typeof step>): Vector => ({ id, steps: [step(...args)] })

const good = headersOf()
const { authorization: goodAuthorization = "" } = good
const [, base64 = ""] = goodAuthorization.split(":")
const withAuthorization = (authorization: string): Headers => ({ ...good, authorization })
const without = (name: string): Headers => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))

const L = 2n ** 252n + 27742317777372353535851937790883648493n
const littleEndian = (bytes: Uint8Array) => BigInt(`0x${hex(bytes.slice().reverse())}`)
const encode = (n: bigint) => Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 255n))
const R = signatureOf().subarray(0, 32)
const S = signatureOf().subarray(32)
const crafted = (r: Uint8Array, s: Uint8Array): Headers =>
  withAuthorization(authorizationHeader(at, Uint8Array.of(...r, ...s)))
const point = (digits: string) => new Uint8Array(Buffer.from(digits, "hex"))

/** The fourteen encodings of the eight points of small order, those that are not canonical too, and what each is called. */
const SMALL_ORDER: ReadonlyArray<[string, string]> = [
  ["order 1", "0100000000000000000000000000000000000000000000000000000000000000"],
  ["order 2", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
  ["order 4", "0000000000000000000000000000000000000000000000000000000000000000"],
  ["order 4, sign", "0000000000000000000000000000000000000000000000000000000000000080"],
  ["order 8, first", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
  ["order 8, first, sign", "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85"],
  ["order 8, second", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"],
  ["order 8, second, sign", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"],
  ["order 1, sign on x = 0", "0100000000000000000000000000000000000000000000000000000000000080"],
  ["order 2, sign on x = 0", "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"],
  ["order 1, y = p + 1", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
  ["order 1, y = p + 1, sign", "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"],
  ["order 4, y = p", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
  ["order 4, y = p, sign", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"]
]

const accepted: ReadonlyArray<Vector> = [
  one("good/post", "ok", good),
  one("good/get-empty-body", "ok", headersOf({ body: "" }), { method: "GET", body: "" }),
  one("good/post-empty-body", "ok", headersOf({ body: "" }), { body: "" }),
  one("good/second-key", "ok", headersOf({ by: second })),
  one("good/key-id", "ok", { ...good, "x-key-id": idOf(first.publicKey) }),
  one("good/second-key-id", "ok", { ...headersOf({ by: second }), "x-key-id": idOf(second.publicKey) }),
  ...[
    ["utf-8", '{"text":"żółć — 日本語 🎧"}'],
    ["spaces-and-line-ends", '{ "a" : 1.00 ,\r\n"b":\t2 }\n'],
    ["not-json", "\u0000\u0001"],
    ["large", "x".repeat(100_000)]
  ].map(([id, body = ""]) => one(`good/body-${id}`, "ok", headersOf({ body }), { body })),
  one("good/body-not-utf-8", "ok", headersOf({ body: Uint8Array.of(255, 254, 0) }), {
    body: Uint8Array.of(255, 254, 0)
  }),
  one("good/service-id-shortest", "ok", headersOf({ serviceId: "a" })),
  one("good/service-id-longest", "ok", headersOf({ serviceId: `${"x".repeat(62)}-_` }))
]

const drift: ReadonlyArray<Vector> = [
  ["late-by-299.999", 299_999, "ok"],
  ["late-by-300", 300_000, "Drift"],
  ["late-by-300.001", 300_001, "Drift"],
  ["early-by-299.999", -299_999, "ok"],
  ["early-by-300", -300_000, "Drift"],
  ["early-by-300.001", -300_001, "Drift"],
  ["late-by-a-year", 31_536_000_000, "Drift"]
].map(([id, by, expected]) => one(`drift/${id}`, `${expected}`, good, { now_ms: ms + Number(by) }))

const times: ReadonlyArray<Vector> = [
  one("drift/timestamp-0", "Drift", headersOf({ time: 0 })),
  one("drift/timestamp-largest", "Drift", headersOf({ time: Number.MAX_SAFE_INTEGER })),
  one("drift/timestamp-in-milliseconds", "Drift", headersOf({ time: ms }))
]

const malformed: ReadonlyArray<Vector> = [
  ...Object.entries({
    empty: "",
    "scheme-only": "Ed25519",
    "scheme-and-space": "Ed25519 ",
    "other-scheme": goodAuthorization.replace("Ed25519", "Bearer"),
    "lower-case-scheme": goodAuthorization.replace("Ed25519", "ed25519"),
    "space-before": ` ${goodAuthorization}`,
    "two-spaces": goodAuthorization.replace(" ", "  "),
    tab: goodAuthorization.replace(" ", "\t"),
    "no-colon": goodAuthorization.replace(":", ""),
    "space-at-colon": goodAuthorization.replace(":", ": "),
    "two-colons": goodAuthorization.replace(":", "::"),
    "no-timestamp": `Ed25519 :${base64}`,
    "leading-zero": `Ed25519 0${at}:${base64}`,
    plus: `Ed25519 +${at}:${base64}`,
    minus: `Ed25519 -${at}:${base64}`,
    fraction: `Ed25519 ${at}.0:${base64}`,
    exponent: `Ed25519 1.7664e9:${base64}`,
    "hex-timestamp": `Ed25519 0x${at.toString(16)}:${base64}`,
    "arabic-digits": `Ed25519 ١٧٦٦٤٠٠٠٠٠:${base64}`,
    "timestamp-beyond-2^53": `Ed25519 9007199254740992:${base64}`,
    "timestamp-of-17-digits": `Ed25519 10000000000000000:${base64}`,
    "no-signature": `Ed25519 ${at}:`,
    "no-padding": goodAuthorization.replace("==", ""),
    "half-padding": goodAuthorization.replace("==", "="),
    "too-much-padding": `${goodAuthorization}=`,
    "space-after": `${goodAuthorization} `,
    "line-end-after": `${goodAuthorization}\n`,
    base64url: authorizationHeader(at, new Uint8Array(64).fill(255)).replaceAll("/", "_"),
    "hex-signature": `Ed25519 ${at}:${hex(signatureOf())}`,
    "stray-bits": `${goodAuthorization.slice(0, -3)}${{ A: "B", Q: "R", g: "h", w: "x" }[goodAuthorization.at(-3) ?? ""]}==`,
    "65-bytes": `Ed25519 ${at}:${Buffer.alloc(65, 1).toString("base64")}`,
    "63-bytes": `Ed25519 ${at}:${Buffer.alloc(63, 1).toString("base64")}`,
    "32-bytes": `Ed25519 ${at}:${Buffer.alloc(32, 1).toString("base64")}`,
    "space-inside": goodAuthorization.replace(base64.slice(10, 11), " "),
    "not-ascii": `Ed25519 ${at}:${"é".repeat(86)}==`,
    "two-values": `${goodAuthorization}, ${goodAuthorization}`
  }).map(([id, value]) => one(`malformed/authorization-${id}`, "MalformedHeader", withAuthorization(value))),
  ...Object.entries({
    empty: "",
    space: "job collector",
    "too-long": "x".repeat(65),
    "line-end": `${service}\n`,
    colon: "a:b",
    dot: "a.b",
    "not-ascii": "zażółć",
    "two-values": `${service}, ${service}`
  }).map(([id, value]) => one(`malformed/service-id-${id}`, "MalformedHeader", { ...good, "x-service-id": value })),
  ...Object.entries({
    empty: "",
    short: idOf(first.publicKey).slice(1),
    long: `${idOf(first.publicKey)}0`,
    "upper-case": idOf(first.publicKey).toUpperCase(),
    "not-hex": "g".repeat(16),
    "line-end": `${idOf(first.publicKey)}\n`
  }).map(([id, value]) => one(`malformed/key-id-${id}`, "MalformedHeader", { ...good, "x-key-id": value })),
  one("missing/authorization", "MissingHeader", without("authorization")),
  one("missing/service-id", "MissingHeader", without("x-service-id")),
  one("missing/both", "MissingHeader", {})
]

const unknown: ReadonlyArray<Vector> = [
  one("unknown/service", "UnknownService", headersOf({ serviceId: "stranger" })),
  one("unknown/service-in-another-case", "UnknownService", headersOf({ serviceId: "Job-Collector" })),
  ...["__proto__", "constructor", "toString"].map((id) =>
    one(`unknown/service-${id}`, "UnknownService", headersOf({ serviceId: id }))
  ),
  one("unknown/key-id", "UnknownKey", { ...good, "x-key-id": idOf(stranger.publicKey) }),
  one("unknown/key-id-of-another-service", "UnknownKey", {
    ...headersOf({ serviceId: "a" }),
    "x-key-id": idOf(second.publicKey)
  })
]

const wrong: ReadonlyArray<Vector> = [
  one("wrong/stranger", "WrongSignature", headersOf({ by: stranger })),
  one("wrong/key-of-another-service", "WrongSignature", headersOf({ serviceId: "a", by: second })),
  one("wrong/named-key-did-not-sign", "WrongSignature", { ...good, "x-key-id": idOf(second.publicKey) }),
  one("wrong/service-id-swapped", "WrongSignature", { ...headersOf({ serviceId: "a" }), "x-service-id": service }),
  one("wrong/timestamp-changed", "WrongSignature", withAuthorization(goodAuthorization.replace(`${at}`, `${at + 1}`))),
  ...Object.entries({
    "one-byte-changed": json.replace("10.5", "10.6"),
    "byte-added": `${json} `,
    "byte-removed": json.slice(0, -1),
    empty: "",
    "same-json-other-spaces": JSON.stringify(JSON.parse(json), null, 1),
    "same-json-other-order": '{"audio_seconds":10.5,"event_id":"evt-1"}',
    "line-ends-changed": `${json}\r\n`,
    "byte-order-mark": `\uFEFF${json}`
  }).map(([id, body]) => one(`wrong/body-${id}`, "WrongSignature", good, { body })),
  one("wrong/body-for-get", "WrongSignature", headersOf({ body: "" }), { method: "GET" }),
  ...Object.entries({
    "without-version": (t: number, d: string, s: string) => `${t}\n${d}\n${s}`,
    "other-version": (t: number, d: string, s: string) => `v2\n${t}\n${d}\n${s}`,
    "upper-case-digest": (t: number, d: string, s: string) => `v1\n${t}\n${d.toUpperCase()}\n${s}`,
    crlf: (t: number, d: string, s: string) => `v1\r\n${t}\r\n${d}\r\n${s}`,
    "final-line-end": (t: number, d: string, s: string) => `v1\n${t}\n${d}\n${s}\n`,
    "without-service-id": (t: number, d: string) => `v1\n${t}\n${d}`,
    "body-instead-of-digest": (t: number, _: string, s: string) => `v1\n${t}\n${json}\n${s}`,
    milliseconds: (t: number, d: string, s: string) => `v1\n${t}000\n${d}\n${s}`
  }).map(([id, text]) => one(`wrong/signed-text-${id}`, "WrongSignature", headersOf({ text })))
]

/** The classes of Project Wycheproof's Ed25519 cases, and of "Taming the many EdDSAs", in whole requests. */
const forged: ReadonlyArray<Vector> = [
  ["s-plus-l", R, encode(littleEndian(S) + L)],
  ["s-plus-2l", R, encode(littleEndian(S) + 2n * L)],
  ["s-is-0", R, encode(0n)],
  ["s-is-1", R, encode(1n)],
  ["s-is-l", R, encode(L)],
  ["s-is-l-minus-1", R, encode(L - 1n)],
  ["s-is-l-plus-1", R, encode(L + 1n)],
  ["s-negated", R, encode(L - littleEndian(S))],
  ["s-is-2^256-minus-1", R, new Uint8Array(32).fill(255)],
  ["s-top-bit", R, Uint8Array.of(...S.subarray(0, 31), (S[31] ?? 0) | 128)],
  ["s-byte-changed", R, Uint8Array.of((S[0] ?? 0) ^ 1, ...S.subarray(1))],
  ["r-byte-changed", Uint8Array.of((R[0] ?? 0) ^ 1, ...R.subarray(1)), S],
  ["r-sign-changed", Uint8Array.of(...R.subarray(0, 31), (R[31] ?? 0) ^ 128), S],
  ["r-and-s-swapped", S, R],
  ["all-zero", new Uint8Array(32), new Uint8Array(32)],
  ["all-ones", new Uint8Array(32).fill(255), new Uint8Array(32).fill(255)],
  ...SMALL_ORDER.flatMap(
    ([id, digits]): ReadonlyArray<[string, Uint8Array, Uint8Array]> => [
      [`r-of-${id}-s-0`, point(digits), encode(0n)],
      [`r-of-${id}`, point(digits), S]
    ]
  )
].map(([id, r, s]) =>
  one(`forged/${`${id}`.replaceAll(/[^\w^-]+/g, "-")}`, "WrongSignature", crafted(r as Uint8Array, s as Uint8Array))
)

const later = (time: number) => headersOf({ time })
const replays: ReadonlyArray<Vector> = [
  { id: "replay/without-a-guard", steps: [step("ok", good), step("ok", good)] },
  { id: "replay/post", replay_guard: 30, steps: [step("ok", good), step("Replay", good)] },
  {
    id: "replay/get-may-come-again",
    replay_guard: 30,
    steps: ["ok", "ok"].map((expected) => step(expected, headersOf({ body: "" }), { method: "GET", body: "" }))
  },
  {
    id: "replay/get-with-a-body",
    replay_guard: 30,
    steps: [step("ok", good, { method: "GET" }), step("Replay", good, { method: "GET" })]
  },
  {
    id: "replay/post-again-as-get",
    replay_guard: 30,
    steps: [step("ok", good), step("Replay", good, { method: "GET" })]
  },
  {
    id: "replay/until-it-has-drifted",
    replay_guard: 30,
    steps: [
      step("ok", later(at + 299)),
      step("Replay", later(at + 299), { now_ms: ms + 598_999 }),
      step("Drift", later(at + 299), { now_ms: ms + 599_000 })
    ]
  },
  {
    id: "replay/clock-that-goes-back",
    replay_guard: 30,
    steps: [
      step("ok", good),
      step("ok", later(at + 3600), { now_ms: ms + 3_600_000 }),
      step("Replay", good, { now_ms: ms + 2_000 }),
      step("ok", later(at + 3), { now_ms: ms + 3_000 })
    ]
  },
  {
    id: "replay/forged-is-not-remembered",
    replay_guard: 30,
    steps: [step("WrongSignature", good, { body: "{}" }), step("ok", good)]
  },
  {
    id: "replay/full-for-one-service-only",
    replay_guard: 6,
    steps: [
      step("ok", later(at + 1)),
      step("ok", later(at + 2)),
      step("ReplayGuardFull", later(at + 3)),
      step("Replay", later(at + 1)),
      step("ok", headersOf({ serviceId: "a" })),
      step("ok", later(at + 400), { now_ms: ms + 400_000 })
    ]
  }
]

const requests = {
  about:
    "Whole requests and their verdicts; see docs/verifying.md. Header names are in lower case. A replay guard is shared out evenly.",
  services: {
    [service]: [hex(first.publicKey), hex(second.publicKey)],
    a: [hex(first.publicKey)],
    [`${"x".repeat(62)}-_`]: [hex(first.publicKey)]
  },
  vectors: [...accepted, ...drift, ...times, ...malformed, ...unknown, ...wrong, ...forged, ...replays]
}

interface Raw {
  readonly id: string
  readonly key: string
  readonly message: string
  readonly signature: string
}

const verdictOf = ({ key, message, signature }: Raw): boolean =>
  publicKeyProblem(point(key)) === undefined &&
  isStrictSignature(point(signature)) &&
  native.verifier(point(key))(point(message), point(signature))

const published = (name: string) => JSON.parse(readFileSync(new URL(`test/vectors/${name}`, root), "utf8"))

const raw = (): ReadonlyArray<Raw> => [
  ...published("rfc_8032-eddsa_ed25519.json").map((of: Record<string, string>, i: number) => ({
    id: `rfc8032/${i + 1}`,
    key: of.publicKey,
    message: of.message,
    signature: of.signature
  })),
  ...published("wycheproof_v1_ed25519_test.json").testGroups.flatMap(
    (group: { publicKey: { pk: string }; tests: ReadonlyArray<{ tcId: number; msg: string; sig: string }> }) =>
      group.tests.map(({ msg, sig, tcId }) => ({
        id: `wycheproof/${tcId}`,
        key: group.publicKey.pk,
        message: msg,
        signature: sig
      }))
  ),
  ...published("ed25519_speccheck_cases.json").map((of: Record<string, string>, i: number) => ({
    id: `speccheck/${i}`,
    key: of.pub_key,
    message: of.message,
    signature: of.signature
  }))
]

const keys = {
  about: "Public keys, as hex, that must be taken or refused when they are loaded.",
  taken: [first, second, stranger].map(({ publicKey }) => ({ key: hex(publicKey), key_id: idOf(publicKey) })),
  refused: [
    ...SMALL_ORDER.map(([why, key]) => ({ why: `small order (${why})`, key })),
    { why: "y = p + 3, not canonical", key: `f0${"ff".repeat(30)}7f` },
    { why: "y = 2^255 - 1, not canonical", key: `${"ff".repeat(31)}7f` },
    { why: "not a point of the curve (y = 2)", key: `02${"00".repeat(31)}` },
    { why: "31 bytes", key: "01".repeat(31) },
    { why: "33 bytes", key: "01".repeat(33) },
    { why: "no bytes", key: "" }
  ]
}

/** The files of vectors/, by name. */
export const vectorFiles = (): Readonly<Record<string, unknown>> => ({
  "requests.json": requests,
  "keys.json": keys,
  "ed25519.json": {
    about:
      "Signatures, as hex: RFC 8032; C2SP Wycheproof and novifinancial ed25519-speccheck (both Apache-2.0). `ok` is the verdict of the strict policy, loading the key included.",
    vectors: raw().map((of) => ({ ...of, ok: verdictOf(of) }))
  }
})

/** A file of vectors/ as text. */
export const textOf = (content: unknown): string => `${JSON.stringify(content, null, 1)}\n`

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const [name, content] of Object.entries(vectorFiles())) {
    writeFileSync(new URL(`vectors/${name}`, root), textOf(content))
  }
}
