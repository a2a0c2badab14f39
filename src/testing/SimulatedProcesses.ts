import { Effect, Layer } from "effect"
import { Processes, ProcessesError, type ProcessFacts, type ProcessIdentity } from "../services/Processes.ts"

/** Processes in memory: a test says which live, and sees who was sent SIGHUP. */
export class SimulatedProcesses {
  readonly self: ProcessIdentity
  readonly living: Map<number, ProcessFacts>
  readonly hungUp: Array<number> = []

  /** `living` is shared by the processes of one simulated machine. */
  constructor(self: Partial<ProcessIdentity> = {}, living = new Map<number, ProcessFacts>()) {
    this.living = living
    this.self = { host: "simulated", bootId: "boot-1", pid: 100, startTime: "1", ...self }
    this.living.set(this.self.pid, {
      startTime: this.self.startTime,
      startedAt: 0,
      signalable: true,
      handlesHangUp: false
    })
  }

  get layer(): Layer.Layer<Processes> {
    return Layer.succeed(
      Processes,
      Processes.of({
        self: this.self,
        find: (pid) => Effect.sync(() => this.living.get(pid)),
        hangUp: (pid) =>
          Effect.suspend(() => {
            if (!this.living.has(pid)) return Effect.fail(new ProcessesError({ problem: `there is no process ${pid}` }))
            this.hungUp.push(pid)
            return Effect.void
          })
      })
    )
  }
}
