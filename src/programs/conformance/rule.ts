import type { Effect } from "effect"
import type { WireError } from "../../services/ApiWire.ts"
import type { SignerError } from "../../services/Signer.ts"
import type { Broken, Subject } from "./subject.ts"

/** One thing that an API must do. */
export interface Rule {
  /** Stable, for scripts. */
  readonly id: string
  readonly title: string
  /** Gives what was seen. */
  readonly check: (api: Subject) => Effect.Effect<string, Broken | WireError | SignerError>
}
