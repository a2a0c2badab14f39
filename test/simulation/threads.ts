/** Worlds in threads of their own, whose marked modules count. */
import { Worker } from "node:worker_threads"
import type { Result, Task, Underway } from "./worker.ts"

/** One thread, which runs one world after the other. */
export class WorldThread {
  private readonly worker = new Worker(new URL("./worker.ts", import.meta.url), {
    execArgv: ["--import", new URL("./marks/preload.ts", import.meta.url).href]
  })

  run(task: Task, onUnderway: (underway: Underway) => void = () => {}): Promise<Result> {
    const { worker } = this
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        worker.off("message", onMessage).off("error", onError)
        settle()
      }
      const onError = (error: unknown) => end(() => reject(error))
      const onMessage = (told: Result | Underway) => {
        if (told._tag === "Underway") onUnderway(told)
        else end(() => resolve(told))
      }
      worker.on("message", onMessage).on("error", onError).postMessage(task)
    })
  }

  end(): Promise<number> {
    return this.worker.terminate()
  }
}

/** Runs tasks in threads, `jobs` at a time; `onResult` may end it by returning true. */
export const inThreads = async (
  jobs: number,
  tasks: Iterator<Task>,
  onResult: (result: Result) => boolean,
  onUnderway: (underway: Underway) => void = () => {}
): Promise<void> => {
  let ended = false
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      const thread = new WorldThread()
      try {
        while (!ended) {
          const next = tasks.next()
          if (next.done === true) break
          if (onResult(await thread.run(next.value, onUnderway))) ended = true
        }
      } finally {
        await thread.end()
      }
    })
  )
}
