import { Effect, type FileSystem, Layer } from "effect"
import { Command } from "effect/cli"
import * as NodeGateway from "../layers/gateway/NodeGateway.ts"
import * as FileConfigStore from "../layers/gatewayConfig/FileConfigStore.ts"
import * as LeanHttpClient from "../layers/http/LeanHttpClientLayer.ts"
import * as JobsApi from "../layers/jobsApi/JobsApi.ts"
import * as NodeProcesses from "../layers/node/NodeProcesses.ts"
import * as Environment from "../layers/settings/Environment.ts"
import * as NativeSigner from "../layers/signing/NativeSigner.ts"
import { auditPatience, ConfigAudit } from "../services/ConfigAudit.ts"
import { noteInAudit, sayUnaudited } from "./audited.ts"
import { configCommand } from "./configCommands.ts"
import { operating, RedisUnusable } from "./operator.ts"

/** The API, for what is compared with its offer; absent where its settings are not there. */
const apiLayer = Layer.unwrap(
  Effect.map(
    Effect.option(Environment.load(Environment.all({ api: Environment.api, signing: Environment.signing }))),
    (loaded) => {
      if (loaded._tag === "None") return Layer.empty
      const { api, signing } = loaded.value.settings
      const { apiBaseUrl: baseUrl, apiTimeout: timeout, serviceId, signatureSchemes } = api
      return JobsApi.layer({ baseUrl, serviceId, signatureSchemes, timeout }).pipe(
        Layer.provide(NativeSigner.layer(signing.privateKey, { publicKey: signing.publicKey }))
      )
    }
  )
)

/** Notes changes in Redis, where its settings lead to one. */
const auditLayer = Layer.effect(
  ConfigAudit,
  Effect.map(
    Effect.context<FileSystem.FileSystem>(),
    (context) =>
      ({ action, as, target, why }) =>
        operating((operated) => noteInAudit(operated, { as, why }, { action, target })).pipe(
          Effect.timeoutOrElse({
            duration: auditPatience,
            orElse: () => Effect.fail(new RedisUnusable({ problem: `Redis does not answer within ${auditPatience}` }))
          }),
          Effect.catch(sayUnaudited),
          Effect.provide(context)
        )
  )
)

const services = Layer.unwrap(
  Effect.map(
    Environment.load(Environment.all({ folder: Environment.configFolder, gateway: Environment.gateway })),
    ({ settings }) =>
      Layer.mergeAll(
        FileConfigStore.layer(settings.folder),
        NodeGateway.layer({ ...settings.gateway, environment: process.env }),
        apiLayer,
        auditLayer
      )
  )
).pipe(Layer.provide(LeanHttpClient.layer()), Layer.provide(NodeProcesses.layer))

/** `job-collector config …`: needs only the folder's settings and `GATEWAY_*`, and the API's where it uses them. */
export const config = Command.provide(configCommand, services)
