import { type Refusal, refuse } from "./verdict.ts"

/** The headers of a request: a `Headers`, or a record by lowercase name, as Node and most frameworks give them. */
export type RequestHeaders = { get(name: string): string | null } | Readonly<Record<string, unknown>>

/** What a request says of its signature. */
export interface Claim {
  readonly serviceId: string
  /** `X-Key-Id` or the scheme's own name for it, where the request has one. */
  readonly keyId: string | undefined
  /** Unix seconds. */
  readonly timestamp: number
  /** Any one of them suffices. */
  readonly signatures: ReadonlyArray<Uint8Array>
  /** The bytes that are signed; undefined where the request contradicts its own digest. */
  readonly message: (body: Uint8Array, sha256: Uint8Array) => Uint8Array | undefined
}

/** Reads the headers of one request by name; the first that is not as it must be is the refusal. */
export class HeaderReader {
  refusal: Refusal | undefined
  readonly #headers: RequestHeaders

  constructor(headers: RequestHeaders) {
    this.#headers = headers
  }

  #value(name: string): unknown {
    const headers = this.#headers ?? {}
    if (typeof headers.get === "function") return headers.get(name)
    return Object.hasOwn(headers, name) ? (headers as Readonly<Record<string, unknown>>)[name] : undefined
  }

  /** A header that may be left out. */
  optional(name: string): string | undefined {
    const value = this.#value(name.toLowerCase())
    if (value === undefined || value === null) return undefined
    if (typeof value === "string") return value
    // Without types, a caller may hand over a list of headers.
    return this.malformed(name, "must be one text")
  }

  /** A header that must be there. */
  required(name: string): string | undefined {
    const value = this.optional(name)
    if (value === undefined) this.refusal ??= refuse("MissingHeader", `the ${name} header is missing`)
    return value
  }

  malformed(name: string, rule: string): undefined {
    this.refusal ??= refuse("MalformedHeader", `${name}: ${rule}`)
  }
}

/** The headers of a signature scheme, read; undefined where the reader holds the refusal. */
export type ReadClaim = (
  headers: HeaderReader,
  request: { readonly method: unknown; readonly url: unknown },
  serviceId: string
) => Omit<Claim, "serviceId"> | undefined

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/

/** Unix seconds in their one decimal spelling. */
export const readTimestamp = (digits: string): number | undefined => {
  const timestamp = Number(digits)
  return DECIMAL.test(digits) && Number.isSafeInteger(timestamp) ? timestamp : undefined
}
