/** Who may do what in the console (contract section 10): tokens of two roles, and sessions that stand for one of them. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import type { NamedToken } from "../domain/options/namedTokens.ts"

export type Role = "read" | "act"

/** Who asks, as far as it is known. */
export interface Visitor {
  /** The token's name. */
  readonly name: string | undefined
  readonly role: Role | undefined
  /** How they said who they are. */
  readonly by: "nothing" | "bearer" | "session"
  /** What a session's acts must carry. */
  readonly antiForgery: string | undefined
}

const nobody: Visitor = { name: undefined, role: undefined, by: "nothing", antiForgery: undefined }

interface Known {
  readonly name: string
  readonly role: Role
  readonly digest: Buffer
}

/** The tokens that hold now. */
export interface Tokens {
  readonly read: ReadonlyArray<NamedToken>
  readonly act: ReadonlyArray<NamedToken>
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest()

const sealOf = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()

const isSame = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other)

/** How long a session lasts. */
const sessionMs = 12 * 3_600_000

const cookieShape = /^([A-Za-z0-9_.@-]{1,64})~(read|act)~(\d{1,15})~([A-Za-z0-9_-]{22})~([A-Za-z0-9_-]{43})$/

/**
 * Sessions are kept by nobody: a cookie is sealed with the token that it stands for. So it holds at every replica and after a
 * restart, and no longer than the token stands in its file.
 */
export class Access {
  private known: ReadonlyArray<Known>
  /** Whether anybody may read: where no token is set at all. */
  readonly isOpen: boolean

  constructor(tokens: Tokens) {
    this.known = []
    this.isOpen = tokens.read.length === 0 && tokens.act.length === 0
    this.use(tokens)
  }

  /** Holds these tokens from now on, and no session of another. */
  use({ act, read }: Tokens): void {
    const of = (role: Role, tokens: ReadonlyArray<NamedToken>) =>
      tokens.map(({ name, token }) => ({ name, role, digest: digestOf(token) }))
    this.known = [...of("act", act), ...of("read", read)]
  }

  /** Who asks where nothing says who. */
  get stranger(): Visitor {
    return this.isOpen ? { ...nobody, role: "read" } : nobody
  }

  /** Looks at every token, so that the time tells nothing. */
  private tokenOf(given: string): Known | undefined {
    const digest = digestOf(given)
    let found: Known | undefined
    for (const token of this.known) if (isSame(token.digest, digest)) found ??= token
    return found
  }

  bearer(given: string): Visitor | undefined {
    const token = this.tokenOf(given)
    return token && { name: token.name, role: token.role, by: "bearer", antiForgery: undefined }
  }

  /** The cookie of a new session; undefined where the token is none. */
  signIn(given: string, now: number): string | undefined {
    const token = this.tokenOf(given)
    if (token === undefined) return undefined
    const said = `${token.name}~${token.role}~${now + sessionMs}~${randomBytes(16).toString("base64url")}`
    return `${said}~${sealOf(token.digest, `session ${said}`).toString("base64url")}`
  }

  session(cookie: string, now: number): Visitor | undefined {
    const [, name, role, ends, , seal] = cookieShape.exec(cookie) ?? []
    if (name === undefined || seal === undefined || Number(ends) <= now) return undefined
    const said = cookie.slice(0, -seal.length - 1)
    const given = Buffer.from(seal, "base64url")
    const token = this.known.find((it) => it.name === name && it.role === role)
    if (token === undefined || !isSame(sealOf(token.digest, `session ${said}`), given)) return undefined
    const antiForgery = sealOf(token.digest, `anti-forgery ${said}`).toString("base64url")
    return { name, role: token.role, by: "session", antiForgery }
  }
}

/** Whether two texts are the same; the time tells nothing but whether their lengths are. */
export const isSameText = (one: string, other: string): boolean => isSame(Buffer.from(one), Buffer.from(other))
