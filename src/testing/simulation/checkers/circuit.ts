/** An outage of the API burns no attempts: once ten failures in a row say that it is one, none is counted. */
import type { Process } from "../../world/process.ts"
import { jsonOf } from "../facts.ts"
import { type Checker, isSuccess, type Scene } from "./checker.ts"

const outageStatuses = new Set([401, 403, 404, 429, 502, 503, 504])
const rejectStatuses = new Set([400, 413, 422])
const rowThreshold = 10

interface Seen {
  row: number
  /** By the process's own clock. */
  openSince: number | undefined
}

export const circuit = ({ facts, report, scenario }: Scene): Checker => {
  const seen = new Map<Process, Seen>()
  const of = (process: Process): Seen => {
    const known = seen.get(process) ?? { row: 0, openSince: undefined }
    seen.set(process, known)
    return known
  }

  const burnt = (stream: string, fields: ReadonlyArray<string>, process: Process | undefined) => {
    if (process === undefined) return
    const { openSince } = of(process)
    const { last_failed_at: failed } = jsonOf(fields, "retry")
    if (openSince === undefined || typeof failed !== "number" || failed <= openSince) return
    report(
      "attempt-burnt",
      `${facts.ofCopy(stream, fields)?.produced.eventId} by ${process.name} while the circuit is open`
    )
  }

  return {
    onEnd: ({ process, request }, status, body) => {
      if (request.headers["idempotency-key"] === undefined) return
      const state = of(process)
      if (isSuccess(status, body)) {
        state.row = 0
        state.openSince = undefined
      } else if (rejectStatuses.has(status) || state.openSince !== undefined) {
        if (state.openSince === undefined) state.row = 0
      } else {
        state.row = status <= 0 || outageStatuses.has(status) ? state.row + 1 : 0
        if (state.row >= rowThreshold) state.openSince = process.now
      }
    },
    onFacts: (happening, process) => {
      if (happening._tag === "Moved" && happening.to === scenario.streams.dlq)
        burnt(happening.to, happening.fields, process)
    }
  }
}
