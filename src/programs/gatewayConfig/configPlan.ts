/** What a tick is to do: a pure function of what is installed, what the API answered, and what the operator decided. */
import type { Bundle, ConfigRefused } from "../../domain/gatewayConfig/bundle.ts"
import { filesOfBundle } from "../../domain/gatewayConfig/files.ts"
import type { ConfigSyncOptions } from "../../domain/gatewayConfig/options.ts"
import { type Applied, review, type Verdict } from "../../domain/gatewayConfig/review.ts"
import { contentsOfRecord, isHeld } from "../../domain/gatewayConfig/state.ts"
import type { Installation, Installed } from "../../services/ConfigStore.ts"
import type { SyncOutcome } from "../../services/Metrics.ts"

/** What the API answered, as far as it could be read. */
export type Offer =
  | { readonly _tag: "NotModified" }
  | { readonly _tag: "Bundle"; readonly bundle: Bundle; readonly etag: string | undefined }
  | { readonly _tag: "Refused"; readonly error: ConfigRefused }
  | { readonly _tag: "Unavailable"; readonly problem: string }

/** What a tick is to do. */
export type Plan =
  | { readonly _tag: "Nothing"; readonly note: "unchanged" | "held" | "kept out" | "drifted" }
  | { readonly _tag: "Refuse"; readonly error: ConfigRefused }
  | { readonly _tag: "Fail"; readonly problem: string }
  | { readonly _tag: "Install"; readonly bundle: Bundle; readonly installation: Installation }
  | { readonly _tag: "Repair"; readonly installation: Installation; readonly outcome: SyncOutcome }

const appliedOf = ({ bundle, content }: Installed): Applied | undefined =>
  bundle === undefined || content === undefined ? undefined : { version: bundle.version, content, bundle }

export const plan = (
  options: Pick<ConfigSyncOptions, "drift">,
  installed: Installed,
  offer: Offer,
  now: number
): Plan => {
  const { drift, record, state } = installed
  const held = isHeld(state, now)
  // Without its record nobody can tell an edited set from the installed one: the API's of that version is it.
  const unknown = record === undefined && offer._tag === "Bundle" && offer.bundle.version === installed.bundle?.version
  const verdict: Verdict | undefined =
    offer._tag !== "Bundle"
      ? undefined
      : unknown
        ? { _tag: "Unchanged" }
        : review(appliedOf(installed), offer.bundle, {
            keptOut: state.keptOut?.version,
            accepted: state.accepted?.version
          })
  if (offer._tag === "Bundle" && verdict?._tag === "Changed" && !held) {
    const contents = filesOfBundle(offer.bundle)
    const installation = {
      contents,
      version: offer.bundle.version,
      etag: offer.etag ?? null,
      reason: "install" as const
    }
    return { _tag: "Install", bundle: offer.bundle, installation }
  }
  const otherwise: Plan =
    offer._tag === "Unavailable"
      ? { _tag: "Fail", problem: offer.problem }
      : offer._tag === "Refused"
        ? { _tag: "Refuse", error: offer.error }
        : verdict?._tag === "Refused"
          ? { _tag: "Refuse", error: verdict.error }
          : verdict?._tag === "Changed"
            ? { _tag: "Nothing", note: "held" }
            : verdict?._tag === "KeptOut"
              ? { _tag: "Nothing", note: "kept out" }
              : { _tag: "Nothing", note: drift.length > 0 ? "drifted" : "unchanged" }
  if (drift.length === 0 || held || options.drift === "report") return otherwise
  const contents =
    record !== undefined
      ? contentsOfRecord(record)
      : offer._tag === "Bundle" && verdict?._tag === "Unchanged"
        ? filesOfBundle(offer.bundle)
        : undefined
  if (contents === undefined) return otherwise
  const etag = record?.etag ?? (offer._tag === "Bundle" ? offer.etag : undefined) ?? null
  const version = installed.bundle?.version ?? record?.version ?? null
  const outcome = otherwise._tag === "Fail" ? "failed" : otherwise._tag === "Refuse" ? "refused" : "changed"
  return { _tag: "Repair", installation: { contents, version, etag, reason: "repair" }, outcome }
}

export const outcomeOf = (done: Plan): SyncOutcome => {
  switch (done._tag) {
    case "Nothing":
      return "unchanged"
    case "Refuse":
      return "refused"
    case "Fail":
      return "failed"
    case "Install":
      return "changed"
    case "Repair":
      return done.outcome
  }
}
