/** The steps of a tick of configuration sync: each is bounded, all together may take longer than a loop may be silent. */
import type { ConfigStore } from "../../services/ConfigStore.ts"
import type { Gateway } from "../../services/Gateway.ts"
import { step } from "../supervision/loop.ts"

interface Parts {
  readonly store: ConfigStore["Service"]
  readonly gateway: Gateway["Service"]
}

/** The same parts; each use of one is a step of its own. */
export const inSteps = ({ gateway, store }: Parts): Parts => ({
  store: {
    ...store,
    read: step(store.read),
    locked: (effect) => step(store.locked(effect)),
    recover: step(store.recover),
    install: (installation) => step(store.install(installation)),
    revert: (generation) => step(store.revert(generation))
  },
  // A host app's own may be an object of a class, which cannot be spread.
  gateway: {
    configured: gateway.configured,
    reportsVersion: gateway.reportsVersion,
    reachable: step(gateway.reachable),
    reload: step(gateway.reload),
    runningVersion: step(gateway.runningVersion)
  }
})
