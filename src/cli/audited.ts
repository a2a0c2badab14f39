/** What commands share that change something: who does it and why, and the audit that says so. */
import { Clock, Effect, Option } from "effect"
import { Flag } from "effect/cli"
import type { AuditRecord } from "../domain/audit/auditRecord.ts"
import { mostWho, mostWhy } from "../domain/traffic/rules.ts"
import { operatorName } from "../layers/node/Host.ts"
import { audit } from "../programs/redis/audit.ts"
import type { Operated } from "./operator.ts"
import { printAside } from "./output.ts"

const words = (name: string, most: number, description: string) =>
  Flag.String(name).pipe(
    Flag.map((text) => text.trim()),
    Flag.filter(
      (text) => text !== "" && text.length <= most,
      () => `1 to ${most} characters`
    ),
    Flag.withDescription(description),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

/** The flags of everything that changes something. */
export const auditFlags = {
  why: words("why", mostWhy, "The reason, for the audit"),
  as: words("as", mostWho, "Your name in the audit; by default user and host")
}

/** Who does it and why, as far as it was said. */
export interface AuditFlags {
  readonly as: string | undefined
  readonly why: string | undefined
}

/** A change as the audit has it, but for who made it and when. */
export type Done = Omit<AuditRecord, "at" | "who" | "why">

/** Who does it. */
export const whoOf = (as: string | undefined): Effect.Effect<string> =>
  as === undefined ? operatorName : Effect.succeed(as)

/** Says that the audit does not have what was done. */
export const sayUnaudited = (error: { readonly message: string } | undefined): Effect.Effect<void> =>
  error === undefined ? Effect.void : printAside(`warning: done, but not noted in the audit: ${error.message}`)

/** Beside which stream the audit and the traffic rules lie. */
export const firstStream = ({ sets }: Pick<Operated, "sets">): string => sets[0]?.transcribe ?? ""

/** Notes in the audit what was done. */
export const noteInAudit = Effect.fnUntraced(function* (
  operated: Operated,
  flags: AuditFlags,
  done: Done
): Effect.fn.Return<void> {
  const at = yield* Clock.currentTimeMillis
  const record = { ...done, at, who: yield* whoOf(flags.as), why: flags.why }
  yield* sayUnaudited(yield* audit(operated.streams, firstStream(operated), record))
})
