/** Asks the gateway which configuration version it runs: `{"version": n}` in a file or at a URL. */
import { Effect, type FileSystem, Option, Schema } from "effect"
import type * as HttpClient from "effect/http/HttpClient"
import { parseJson } from "../../domain/gatewayConfig/bundle.ts"
import { GatewayError } from "../../services/Gateway.ts"
import { readReport } from "./reportFile.ts"

const LIMIT = 5

const Status = Schema.Struct({ version: Schema.Int })
const decodeStatus = Schema.decodeUnknownOption(Status)

const unreadable = (problem: string) => new GatewayError({ reason: "StatusUnreadable", problem })

const versionOf = (name: string, bytes: Uint8Array): Effect.Effect<number, GatewayError> => {
  const status = Option.getOrUndefined(decodeStatus(parseJson(bytes)?.json))
  return status === undefined
    ? Effect.fail(unreadable(`${name}: the gateway's answer is not {"version": <integer>}`))
    : Effect.succeed(status.version)
}

export const makeFileStatus = (fs: FileSystem.FileSystem, path: string): Effect.Effect<number, GatewayError> =>
  readReport(fs, path).pipe(
    Effect.mapError((problem) => unreadable(`GATEWAY_STATUS_FILE: ${problem}`)),
    Effect.flatMap(({ bytes }) => versionOf("GATEWAY_STATUS_FILE", bytes))
  )

export const makeUrlStatus = (client: HttpClient.HttpClient, url: string): Effect.Effect<number, GatewayError> => {
  const failed = (problem: string) => unreadable(`GATEWAY_STATUS_URL: ${problem}`)
  // The URL may carry a password, and the client's errors quote it.
  const silent = () => failed("the gateway cannot be asked")
  return Effect.gen(function* () {
    const response = yield* Effect.mapError(client.get(url), silent)
    if (response.status < 200 || response.status > 299) {
      return yield* failed(`the gateway answered ${response.status}`)
    }
    return new Uint8Array(yield* Effect.mapError(response.arrayBuffer, silent))
  }).pipe(
    Effect.timeoutOrElse({
      duration: LIMIT * 1_000,
      orElse: () => Effect.fail(failed(`the gateway did not answer within ${LIMIT} s`))
    }),
    Effect.flatMap((bytes) => versionOf("GATEWAY_STATUS_URL", bytes))
  )
}
