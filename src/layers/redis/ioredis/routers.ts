import { clusterRouter } from "./cluster.ts"
import { type Router, standaloneRouter } from "./router.ts"
import { sentinelRouter } from "./sentinel.ts"
import type { Settings } from "./settings.ts"

/** The router for what the settings name: a Cluster, a Sentinel's primary or one server. */
export const routerOf = (settings: Settings): Router => {
  const { cluster, sentinels } = settings
  if (cluster !== undefined) return clusterRouter(settings, cluster)
  if (sentinels !== undefined) return sentinelRouter(settings, sentinels.nodes, sentinels.name)
  return standaloneRouter(settings)
}
