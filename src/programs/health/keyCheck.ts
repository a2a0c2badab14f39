/** Whether the signing key does what it is for: asked by health and by `check`. */
import { Duration, Effect } from "effect"
import type { Signer } from "../../services/Signer.ts"
import { problemOf } from "../supervision/supervise.ts"

/** Any message will do; this one says what it is for where it is found. */
const sample = new TextEncoder().encode("job-collector: the signing key's health check")

/** A signer that is elsewhere may never answer. */
const limit = Duration.seconds(10)

/** Signs and verifies: what is wrong with the key, undefined where nothing is. */
export const keyProblem = ({ sign, verify }: Signer["Service"]): Effect.Effect<string | undefined> =>
  sign(sample).pipe(
    Effect.flatMap((signature) => verify(sample, signature)),
    Effect.match({
      onFailure: ({ problem }): string | undefined => problem,
      onSuccess: (valid) => (valid ? undefined : "a signature just made does not verify")
    }),
    Effect.catchCause((cause) =>
      Effect.as(Effect.logError("signing.died", cause), `signing broke off: ${problemOf(cause)}`)
    ),
    Effect.timeoutOrElse({
      duration: limit,
      orElse: () => Effect.succeed(`no signature within ${Duration.format(limit)}`)
    })
  )
