/** The Models Gateway as the settings `GATEWAY_*` describe it (contract section 7). */
import { Effect, FileSystem, Layer } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as ChildProcessSpawner from "effect/process/ChildProcessSpawner"
import type { GatewayOptions } from "../../domain/gatewayConfig/options.ts"
import { Gateway } from "../../services/Gateway.ts"
import { Processes } from "../../services/Processes.ts"
import { makeCommandReload } from "./command.ts"
import { makePidFileReload } from "./pidFile.ts"
import { makeFileStatus, makeUrlStatus } from "./status.ts"

/**
 * The Models Gateway on this machine, told by SIGHUP (kill(2)) or by a command, asked by file or URL. With neither `pidFile` nor
 * `reloadCommand` there is nobody to tell. `environment` is what a reload command is started with, less this program's secrets.
 *
 * Building it does not fail; its operations fail with {@link GatewayError}, whose `reason` is `NoProcess`, `NotReady`,
 * `CommandFailed` or `StatusUnreadable`.
 *
 * @example
 * ```ts
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { Layer } from "effect"
 * import { layerLeanHttpClient, layerNodeGateway, layerNodeProcesses } from "job-collector"
 *
 * export const gateway = layerNodeGateway({ pidFile: "/run/gateway.pid" }).pipe(
 *   Layer.provide([layerLeanHttpClient(), layerNodeProcesses]),
 *   Layer.provide(NodeServices.layer)
 * )
 * ```
 */
export const layer = (
  options: GatewayOptions & { readonly environment?: Readonly<Record<string, string | undefined>> }
): Layer.Layer<
  Gateway,
  never,
  FileSystem.FileSystem | HttpClient.HttpClient | ChildProcessSpawner.ChildProcessSpawner | Processes
> =>
  Layer.effect(
    Gateway,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const client = yield* HttpClient.HttpClient
      const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
      const processes = yield* Processes
      const { pidFile, reloadCommand, statusFile, statusUrl } = options
      const byPid = pidFile === undefined ? undefined : makePidFileReload(fs, processes, pidFile)
      const reload =
        byPid !== undefined
          ? byPid.reload
          : reloadCommand !== undefined
            ? makeCommandReload(spawner, reloadCommand, options.environment ?? {})
            : undefined
      const status =
        statusFile !== undefined
          ? makeFileStatus(fs, statusFile)
          : statusUrl !== undefined
            ? makeUrlStatus(client, statusUrl)
            : undefined
      return Gateway.of({
        configured: reload !== undefined,
        reachable: byPid?.reachable ?? Effect.void,
        reload: reload ?? Effect.void,
        runningVersion: status ?? Effect.undefined,
        reportsVersion: status !== undefined
      })
    })
  )
