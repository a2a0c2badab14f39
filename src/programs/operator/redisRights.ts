/** What `check` finds of the user's permissions, of other services on the same streams, and of keys that cannot be written. */
import { Effect } from "effect"
import { companionKey, type EventStreams } from "../../services/EventStreams.ts"
import { permissionName } from "../../services/permissions.ts"
import { missingPermissions } from "../delivery/redisStartupChecks.ts"
import { foreignGroup } from "../delivery/streamOwner.ts"
import { bad, type Finding, good } from "./doctor.ts"

const grantRemedy = "grant them; deploy/redis/service.acl has all that the service needs"

const permissionFinding = (
  streams: EventStreams["Service"],
  options: Parameters<typeof missingPermissions>[1]
): Effect.Effect<Finding> =>
  Effect.match(missingPermissions(streams, options), {
    onFailure: (error) => bad("redis permissions", error.message, grantRemedy),
    onSuccess: (missing) =>
      missing.length === 0
        ? good("redis permissions", "the user may run every command that the service sends")
        : bad("redis permissions", `the user may not run ${missing.map(permissionName).join(", ")}`, grantRemedy)
  })

const ownerFindings = (
  streams: EventStreams["Service"],
  options: Parameters<typeof foreignGroup>[1]
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(foreignGroup(streams, options), {
    // Said among the permissions.
    onFailure: () => [],
    onSuccess: (foreign) =>
      foreign === undefined
        ? []
        : [
            bad(
              `owner of ${foreign.stream}`,
              `the consumer group ${foreign.group} is at work on it: each would deliver and delete the other's retries`,
              "set STREAM_DLQ and STREAM_ABANDONED, or CONSUMER_GROUP, to this service's own"
            )
          ]
  })

const largestId = "18446744073709551615-18446744073709551615"

/** A stream that events are moved to, and cannot be written: what is given up waits for it. */
const writeFindings = (streams: EventStreams["Service"], stream: string): Effect.Effect<ReadonlyArray<Finding>> => {
  const check = `writing to ${stream}`
  return Effect.match(streams.streamInfo(stream), {
    onFailure: ({ message, reason }) =>
      reason._tag === "WrongType"
        ? [bad(check, message, "another program uses this key: set STREAM_DLQ or STREAM_ABANDONED to another name")]
        : [],
    onSuccess: (info) =>
      info?.lastGeneratedId === largestId
        ? [
            bad(
              check,
              "it has the largest id there is, so that nothing can be added",
              "rename it, or delete that entry and set a smaller id with XSETID"
            )
          ]
        : []
  })
}

/** The set of what was replayed, which must not be another program's. */
const replayedFindings = (streams: EventStreams["Service"], stream: string): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.match(streams.isReplayed(stream, "0-0"), {
    onFailure: ({ message, reason }) =>
      reason._tag === "WrongType"
        ? [
            bad(
              `replays of ${stream}`,
              `${message} (key ${companionKey(stream, "replayed")})`,
              "delete or rename that key"
            )
          ]
        : [],
    onSuccess: () => []
  })

/** Whether the user may do all that the service does, and whether no other service works on the same DLQ. */
export const checkRights = Effect.fnUntraced(function* (
  streams: EventStreams["Service"],
  options: Parameters<typeof missingPermissions>[1]
): Effect.fn.Return<ReadonlyArray<Finding>> {
  const findings = [yield* permissionFinding(streams, options), ...(yield* ownerFindings(streams, options))]
  for (const { abandoned, dlq, process, transcribe } of options.streams) {
    for (const stream of [dlq, abandoned]) findings.push(...(yield* writeFindings(streams, stream)))
    for (const stream of [transcribe, process]) findings.push(...(yield* replayedFindings(streams, stream)))
  }
  return findings
})
