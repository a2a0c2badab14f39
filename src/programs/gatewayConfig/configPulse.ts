/** The steps of a tick as signs of life: each is bounded, all together may take longer than a loop may be silent. */
import { Effect } from "effect"
import type { ConfigStore } from "../../services/ConfigStore.ts"
import type { Gateway } from "../../services/Gateway.ts"
import type { JobsApi } from "../../services/JobsApi.ts"
import type { Pulse } from "../supervision/heartbeats.ts"

interface Parts {
  readonly store: ConfigStore["Service"]
  readonly api: JobsApi["Service"]
  readonly gateway: Gateway["Service"]
}

/** The same parts; each use of one is a sign of life. */
export const withPulse = ({ asking, beat }: Pulse, { api, gateway, store }: Parts): Parts => {
  const beating = <A, E, R>(step: Effect.Effect<A, E, R>) => Effect.andThen(beat, step)
  return {
    store: {
      ...store,
      read: beating(store.read),
      locked: (effect) => beating(store.locked(effect)),
      recover: beating(store.recover),
      install: (installation) => beating(store.install(installation)),
      revert: (generation) => beating(store.revert(generation))
    },
    api: { ...api, configurations: (etag) => Effect.andThen(asking, api.configurations(etag)) },
    // A host app's own may be an object of a class, which cannot be spread.
    gateway: {
      configured: gateway.configured,
      reportsVersion: gateway.reportsVersion,
      reachable: beating(gateway.reachable),
      reload: beating(gateway.reload),
      runningVersion: beating(gateway.runningVersion)
    }
  }
}
