/** What `check` finds of the user's permissions, and of other services on the same streams. */
import { Effect } from "effect"
import type { EventStreams } from "../../services/EventStreams.ts"
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

/** Whether the user may do all that the service does, and whether no other service works on the same DLQ. */
export const checkRights = (
  streams: EventStreams["Service"],
  options: Parameters<typeof missingPermissions>[1]
): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.zipWith(permissionFinding(streams, options), ownerFindings(streams, options), (permissions, owners) => [
    permissions,
    ...owners
  ])
