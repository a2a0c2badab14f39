import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { ByteSize, Effect, Layer, Logger, Option } from "effect"
import { HttpIncomingMessage, HttpMiddleware, HttpRouter } from "effect/http"
import * as RequestVerifier from "../../src/layers/signing/RequestVerifier.ts"
import * as Database from "../database/Database.ts"
import { exitZeroWhenAsked } from "../teardown.ts"
import { OperatorToken, routes } from "./routes.ts"
import { type Settings, settings } from "./settings.ts"

/** The whole API on a port: it listens once everything it needs is there. */
const server = (options: Settings) =>
  HttpRouter.serve(routes, { disableLogger: true }).pipe(
    Layer.provide(
      NodeHttpServer.layer(createServer, {
        host: options.host,
        port: options.port,
        gracefulShutdownTimeout: "2 seconds"
      })
    ),
    Layer.provide(Layer.succeed(OperatorToken, options.operatorToken)),
    Layer.provide(RequestVerifier.layer({ services: options.serviceKeys })),
    Layer.provide(
      Database.layer({
        url: options.databaseUrl,
        connections: options.databaseConnections,
        schema: Option.getOrUndefined(options.databaseSchema)
      })
    )
  )

/** `node sandbox/api/main.ts`: the reference jobs API as a process. */
Layer.unwrap(Effect.map(settings, server)).pipe(
  Layer.launch,
  Effect.provide([
    Logger.layer([Logger.consoleJson]),
    Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true),
    Layer.succeed(HttpIncomingMessage.MaxBodySize, ByteSize.mebibytes(4))
  ]),
  NodeRuntime.runMain({ teardown: exitZeroWhenAsked })
)
