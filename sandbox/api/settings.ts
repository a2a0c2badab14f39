import { Config } from "effect"

/** `service=public key`, comma-separated; a service may stand there with several keys. */
const ServiceKeys = Config.String("SERVICE_KEYS").pipe(
  Config.map((text) => {
    const services: Record<string, Array<string>> = {}
    for (const pair of text.split(",")) {
      const at = pair.indexOf("=")
      const service = pair.slice(0, at).trim()
      services[service] = [...(services[service] ?? []), pair.slice(at + 1).trim()]
    }
    return services
  })
)

/** The API's settings, from the environment. */
export const settings = Config.all({
  host: Config.String("API_HOST").pipe(Config.withDefault("127.0.0.1")),
  port: Config.Port("API_PORT").pipe(Config.withDefault(8080)),
  databaseUrl: Config.Redacted("DATABASE_URL"),
  databaseSchema: Config.option(Config.String("DATABASE_SCHEMA")),
  /** 1 for the embedded database. */
  databaseConnections: Config.Int("DATABASE_CONNECTIONS").pipe(Config.withDefault(4)),
  /** Who may call. */
  serviceKeys: ServiceKeys,
  /** Turns the operator's endpoints on. */
  operatorToken: Config.option(Config.Redacted("OPERATOR_TOKEN"))
})
export type Settings = Config.Success<typeof settings>
