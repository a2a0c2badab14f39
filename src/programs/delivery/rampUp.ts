/** Lets more requests be in flight as time goes by, where deliveries began again (contract section 6, "Traffic control"). */
import { Effect } from "effect"
import { Waiter } from "../redis/changeSignal.ts"
import { monotonicMillisOf } from "../redis/monotonic.ts"
import { repeatSteps, waiting } from "../supervision/loop.ts"
import type { RunDeliveries } from "./state/collectorRun.ts"

export const loopName = "ramp"

export const rampUp = ({ gate, partitions, permits }: RunDeliveries): Effect.Effect<never> =>
  repeatSteps(
    Effect.clockWith((clock) => {
      const waiter = new Waiter(gate.changed, gate.ramp.changed)
      const now = monotonicMillisOf(clock)
      gate.followPauses(now)
      const nextAt = gate.ramp.advance(now)
      permits.serve()
      partitions.look(now)
      return waiting(waiter.wait(nextAt))
    })
  )
