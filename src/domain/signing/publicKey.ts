import { Result } from "effect"
import * as Hex from "effect/encoding/Hex"
import { DerTag, derSequence } from "./der.ts"
import { publicKeyProblem } from "./ed25519.ts"
import { algorithmProblem, isPem, parseKeyBytes, parsePem, tidy } from "./keyEncoding.ts"

/** What a public key may be written as, for messages. */
export const PUBLIC_KEY_FORMS = "an Ed25519 public key: 32 bytes as hex, base64 or base64url, or SPKI PEM"

const fromSpki = (der: Uint8Array): Result.Result<Uint8Array, string> => {
  const parts = derSequence(der)
  if (parts === undefined) return Result.fail("is a PEM block that holds no SPKI key")
  const problem = algorithmProblem(parts[0])
  if (problem !== undefined) return Result.fail(problem)
  const bits = parts[1]
  return parts.length === 2 && bits?.tag === DerTag.bitString && bits.content.length === 33 && bits.content[0] === 0
    ? Result.succeed(bits.content.slice(1))
    : Result.fail("is a PEM block that holds no SPKI key")
}

/**
 * Reads a public key (RFC 8032) from hex, base64, base64url or SPKI PEM (RFC 8410): 32 bytes that are canonical, on the curve and
 * not of small order. The failure names the rule and reads on from "it …".
 */
export const parsePublicKey = (text: string): Result.Result<Uint8Array, string> => {
  const key = tidy(text)
  const bytes = isPem(key)
    ? Result.flatMap(parsePem(key), ({ label, der }) =>
        label === "PUBLIC KEY"
          ? fromSpki(der)
          : Result.fail(`is a PEM block of the kind ${label}; it must be PUBLIC KEY`)
      )
    : parseKeyBytes(key)
  return Result.flatMap(bytes, (publicKey) => {
    const problem = publicKeyProblem(publicKey)
    return problem === undefined ? Result.succeed(publicKey) : Result.fail(problem)
  })
}

const SPKI_PREFIX = Result.getOrThrow(Hex.decode("302a300506032b6570032100"))

/** The SPKI DER of a public key (RFC 8410 section 4): 44 bytes. */
export const spkiOf = (publicKey: Uint8Array): Uint8Array => Uint8Array.of(...SPKI_PREFIX, ...publicKey)
