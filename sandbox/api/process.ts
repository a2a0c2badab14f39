import { Child } from "../children.ts"

/** The API as a child process. */
export interface ApiProcess {
  readonly url: string
  readonly child: Child
}

export interface ApiProcessOptions {
  readonly port: number
  readonly databaseUrl: string
  readonly databaseConnections: number
  readonly databaseSchema?: string | undefined
  readonly serviceKeys: Readonly<Record<string, string>>
  readonly operatorToken: string
}

/** Starts the API and waits until it is healthy. */
export const startApi = async (options: ApiProcessOptions): Promise<ApiProcess> => {
  const child = await Child.node("jobs API", "./api/main.ts", {
    API_PORT: `${options.port}`,
    DATABASE_URL: options.databaseUrl,
    DATABASE_CONNECTIONS: `${options.databaseConnections}`,
    SERVICE_KEYS: Object.entries(options.serviceKeys)
      .map(([service, key]) => `${service}=${key}`)
      .join(","),
    OPERATOR_TOKEN: options.operatorToken,
    ...(options.databaseSchema === undefined ? {} : { DATABASE_SCHEMA: options.databaseSchema })
  })
  const url = `http://127.0.0.1:${options.port}`
  await child.until("healthy", async () => {
    const health = await fetch(`${url}/api/health`, { signal: AbortSignal.timeout(15_000) })
    return health.ok
  })
  return { url, child }
}
