/** What `check` finds of the replicas that run: which they are, and in what they differ. */
import { Effect } from "effect"
import type { ReplicaFigures } from "../../domain/replicas/replicaFigures.ts"
import { type Finding, good, warning } from "./doctor.ts"
import { type Observed, replicas } from "./replicas.ts"

const mostNamed = 20

const named = (running: ReadonlyArray<ReplicaFigures>): string =>
  [
    ...running
      .slice(0, mostNamed)
      .map(({ consumer, host, version }) => `${consumer} (${version}${host === null ? "" : ` on ${host}`})`),
    ...(running.length > mostNamed ? ["…"] : [])
  ].join(", ")

/** A warning where not all have the same of something: who has which. */
const differing = (
  running: ReadonlyArray<ReplicaFigures>,
  what: string,
  of: (replica: ReplicaFigures) => string,
  remedy: string
): ReadonlyArray<Finding> => {
  const having = new Map<string, Array<string>>()
  for (const replica of running) having.set(of(replica), [...(having.get(of(replica)) ?? []), replica.consumer])
  if (having.size < 2) return []
  const found = [...having].map(([value, consumers]) => `${value} (${consumers.slice(0, mostNamed).join(", ")})`)
  return [warning(`replicas' ${what}`, found.join("; "), remedy)]
}

export const checkReplicas = (observed: Observed): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(replicas(observed), {
    // What Redis refuses is said among the permissions.
    onFailure: () => [],
    onSuccess: ({ replicas: running, unreadable }) => [
      good("replicas", running.length === 0 ? "none runs" : `${running.length} running: ${named(running)}`),
      ...(unreadable === 0
        ? []
        : [
            warning("replicas", `${unreadable} more tell of themselves in another way`, "update them, or this command")
          ]),
      ...differing(running, "versions", ({ version }) => version, "finish the rollout, or roll it back"),
      ...differing(
        running,
        "keys",
        ({ key_id }) => key_id,
        "give all of them the same key; until then the API must know each"
      ),
      ...differing(
        running,
        "configurations",
        ({ config_version }) => String(config_version),
        "they should agree within CONFIG_SYNC_INTERVAL: see config_sync in /health of those behind"
      )
    ]
  })
