/** Every published vector, judged by the verifier: on the web's own APIs alone, so that any runtime can run it. */
import { isStrictSignature, publicKeyProblem } from "../../src/verifier/ed25519.ts"
import { makeVerifier, type Primitives, TrustedKeysError, webCrypto } from "../../src/verifier/index.ts"

/** The files of `vectors/`. */
export interface Vectors {
  readonly requests: {
    readonly services: Readonly<Record<string, ReadonlyArray<string>>>
    readonly vectors: ReadonlyArray<{
      readonly id: string
      readonly replay_guard?: number
      readonly steps: ReadonlyArray<{
        readonly now_ms: number
        readonly method: string
        readonly headers: Readonly<Record<string, string>>
        readonly body_base64: string
        readonly expected: string
      }>
    }>
  }
  readonly keys: {
    readonly taken: ReadonlyArray<{ readonly key: string }>
    readonly refused: ReadonlyArray<{ readonly key: string; readonly why: string }>
  }
  readonly ed25519: {
    readonly vectors: ReadonlyArray<{
      readonly id: string
      readonly key: string
      readonly message: string
      readonly signature: string
      readonly ok: boolean
    }>
  }
}

const ofHex = (hex: string) => Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16))
const ofBase64 = (text: string) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0))

const demand = (what: string, verdict: unknown, expected: unknown) => {
  if (verdict !== expected) throw new Error(`${what}: ${verdict}, and not ${expected}`)
}

const isTaken = (key: string, primitives: Primitives): boolean => {
  try {
    makeVerifier({ services: { a: [ofHex(key)] }, primitives })
    return true
  } catch (error) {
    if (error instanceof TrustedKeysError) return false
    throw error
  }
}

const judgeRequests = async ({ requests: { services, vectors } }: Vectors, primitives: Primitives) => {
  for (const { id, replay_guard, steps } of vectors) {
    const replayGuard = replay_guard === undefined ? undefined : { capacity: replay_guard }
    const verify = makeVerifier({ services, replayGuard, primitives })
    for (const { body_base64, expected, headers, method, now_ms } of steps) {
      const verdict = await verify({ method, headers, body: ofBase64(body_base64) }, now_ms)
      demand(id, verdict.ok ? "ok" : verdict.reason, expected)
    }
  }
  return vectors.length
}

const judgeKeys = ({ keys: { refused, taken } }: Vectors, primitives: Primitives) => {
  for (const { key } of taken) demand(key, isTaken(key, primitives), true)
  for (const { key, why } of refused) demand(`${key} (${why})`, isTaken(key, primitives), false)
  return taken.length + refused.length
}

const judgeSignatures = async ({ ed25519: { vectors } }: Vectors, primitives: Primitives) => {
  for (const { id, key, message, ok, signature } of vectors) {
    const verdict =
      publicKeyProblem(ofHex(key)) === undefined &&
      isStrictSignature(ofHex(signature)) &&
      (await primitives.verifier(ofHex(key))(ofHex(message), ofHex(signature)))
    demand(id, verdict, ok)
  }
  return vectors.length
}

/** Says how many there are; rejects with the first that is judged wrongly. */
export const judgeAll = async (vectors: Vectors, primitives: Primitives = webCrypto): Promise<string> => {
  const requests = await judgeRequests(vectors, primitives)
  const keys = judgeKeys(vectors, primitives)
  const signatures = await judgeSignatures(vectors, primitives)
  return `${requests} requests, ${keys} keys, ${signatures} signatures`
}
