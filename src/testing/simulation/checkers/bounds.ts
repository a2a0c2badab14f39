/** What a process holds is bounded by its settings, never by the backlog. */
import type { SimulatedRequest } from "../../world/http.ts"
import type { Process } from "../../world/process.ts"
import type { Checker, Scene } from "./checker.ts"

/** Entries that readers and the taking over may bring in beyond the hold, at the same time. */
const overlap = 256

const isDelivery = ({ headers }: SimulatedRequest): boolean => headers["idempotency-key"] !== undefined

export const bounds = ({ report, scenario, world }: Scene): Checker => {
  const { deliveryConcurrency, dlqHold } = scenario.settings
  const inFlight = new WeakMap<Process, number>()

  return {
    onSent: ({ process, request }) => {
      if (!isDelivery(request)) return
      const now = (inFlight.get(process) ?? 0) + 1
      inFlight.set(process, now)
      if (now > deliveryConcurrency) report("concurrency", `${process.name} has ${now} requests in flight`)
    },
    onEnd: ({ process, request }) => {
      if (!isDelivery(request)) return
      inFlight.set(process, (inFlight.get(process) ?? 1) - 1)
    },
    onLook: () => {
      for (const { name, run } of world.replicas) {
        if (run === undefined) continue
        const { owned, permits } = run
        const held = owned.heldOfDlq + owned.waitingOfSource
        if (held > dlqHold + overlap) report("memory", `${name} holds ${held} entries of the DLQ and of partitions`)
        const others = owned.size - held
        if (others > 3 * deliveryConcurrency + overlap)
          report("memory", `${name} holds ${others} entries beside the DLQ's`)
        if (permits.inUse < 0 || permits.inUse > permits.total) report("permits", `${name}: ${permits.inUse} in use`)
      }
    }
  }
}
