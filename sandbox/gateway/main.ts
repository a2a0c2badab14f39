import { createServer } from "node:http"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Effect, Layer, Logger } from "effect"
import { HttpMiddleware, HttpRouter } from "effect/http"
import * as IoRedis from "../../src/layers/redis/ioredis/IoRedis.ts"
import { exitZeroWhenAsked } from "../teardown.ts"
import { Configured } from "./Configured.ts"
import { Producer } from "./Producer.ts"
import { routes } from "./routes.ts"

const settings = Config.all({
  redisUrl: Config.Redacted("REDIS_URL"),
  host: Config.String("GATEWAY_HTTP_HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.Port("GATEWAY_HTTP_PORT").pipe(Config.withDefault(8090)),
  directory: Config.String("CONFIG_DIR"),
  pidFile: Config.option(Config.String("GATEWAY_PID_FILE")),
  statusFile: Config.option(Config.String("GATEWAY_STATUS_FILE")),
  /** The same seed gives the same events. */
  seed: Config.String("GATEWAY_SEED").pipe(Config.withDefault("sandbox")),
  transcribe: Config.String("STREAM_TRANSCRIBE").pipe(Config.withDefault("modelsgateway:events:transcribe")),
  process: Config.String("STREAM_PROCESS").pipe(Config.withDefault("modelsgateway:events:process"))
})

/** The gateway listens before it is named in its pid file, and whoever reads that file may signal it. */
const gateway = (options: Config.Success<typeof settings>) =>
  Producer.use(({ join }) => join).pipe(
    Effect.provide(
      HttpRouter.serve(routes, { disableLogger: true }).pipe(
        Layer.provide(Configured.layer(options)),
        Layer.provide(
          NodeHttpServer.layer(createServer, {
            host: options.host,
            port: options.port,
            gracefulShutdownTimeout: "2 seconds"
          })
        ),
        Layer.provideMerge(Producer.layer({ seed: options.seed, streams: options })),
        Layer.provide(IoRedis.layer({ url: options.redisUrl })),
        Layer.provide([NodeFileSystem.layer, NodePath.layer])
      )
    )
  )

/** `node sandbox/gateway/main.ts`: the Models Gateway of the sandbox as a process. */
Effect.flatMap(settings, gateway).pipe(
  Effect.provide([Logger.layer([Logger.consoleJson]), Layer.succeed(HttpMiddleware.TracerDisabledWhen, () => true)]),
  NodeRuntime.runMain({ teardown: exitZeroWhenAsked })
)
