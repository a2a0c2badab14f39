/** Whether a bundle may replace the one that is installed: a pure function of both and of what the operator decided. */
import { type Bundle, ConfigRefused, contentOf } from "./bundle.ts"

/** What is installed, as far as the decision goes. */
export interface Applied {
  readonly version: number
  /** As `contentOf` gives it. */
  readonly content: string
  readonly bundle: Bundle
}

export interface Decisions {
  /** Versions up to this one stay out, unless they are accepted: a rollback or a gateway that did not follow. */
  readonly keptOut: number | undefined
  /** The version the operator accepted: it is applied although it is lower, altered, emptied or kept out. */
  readonly accepted: number | undefined
}

export type Verdict =
  | { readonly _tag: "Unchanged" }
  | { readonly _tag: "Changed" }
  | { readonly _tag: "KeptOut" }
  | { readonly _tag: "Refused"; readonly error: ConfigRefused }

/** The refusals that `config accept` overrides; the others need another bundle. */
export const acceptable = (error: ConfigRefused): boolean =>
  error.rule === "older" || error.rule === "altered" || error.rule === "empty"

const refused = (rule: "older" | "altered" | "empty", version: number, problem: string): Verdict => ({
  _tag: "Refused",
  error: new ConfigRefused({ rule, problem, version })
})

const emptied = (applied: Applied | undefined, offered: Bundle): "openai_keys" | "model_configs" | undefined =>
  applied === undefined
    ? undefined
    : (["openai_keys", "model_configs"] as const).find(
        (list) => offered[list].length === 0 && applied.bundle[list].length > 0
      )

/** Judges a bundle that decoded (contract section 7, "Refused"). */
export const review = (applied: Applied | undefined, offered: Bundle, decisions: Decisions): Verdict => {
  const { version } = offered
  if (applied?.version === version && applied.content === contentOf(offered)) return { _tag: "Unchanged" }
  if (decisions.accepted === version) return { _tag: "Changed" }
  if (applied !== undefined && version === applied.version) {
    return refused("altered", version, `version ${version} came with other content than the applied version ${version}`)
  }
  if (applied !== undefined && version < applied.version) {
    return refused("older", version, `version ${version} is lower than the applied version ${applied.version}`)
  }
  if (decisions.keptOut !== undefined && version <= decisions.keptOut) return { _tag: "KeptOut" }
  const list = emptied(applied, offered)
  if (list !== undefined) {
    return refused("empty", version, `${list} of version ${version} is empty, the applied version's is not`)
  }
  return { _tag: "Changed" }
}
