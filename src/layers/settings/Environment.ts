/**
 * The environment variables of contract section 2, in groups: a command loads the groups that it uses, and gets every problem of all
 * of them at once.
 *
 * ```ts
 * const { settings, warnings } = yield* Environment.load(
 *   Environment.all({ redis: Environment.redis, collector: Environment.collector(hostName) })
 * )
 * ```
 *
 * Variables come from the ambient `ConfigProvider`, files (`*_FILE`) from `FileSystem`; an empty variable counts as unset.
 */
export { apiClient, proxy } from "./apiClient.ts"
export {
  api,
  collector,
  consumer,
  delivery,
  eventTimes,
  lifecycle,
  outcomes,
  privateKeyFile,
  requests,
  signing,
  streams
} from "./collector.ts"
export { consoleActTokens, consoleReadTokens, operatorConsole } from "./console.ts"
export { exposure } from "./exposure.ts"
export { type RedisSettings, redis, redisPassword } from "./redis.ts"
export { configFolder, configSync, gateway, http, logging, telemetry } from "./service.ts"
export {
  all,
  type Loaded,
  load,
  type Setting,
  type SettingProblem,
  SettingsError,
  type Value
} from "./setting.ts"
