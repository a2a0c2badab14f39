/** Everything that reads what others wrote. */
import type { Target } from "./target.ts"
import { answers, closeHttp, headers, http } from "./targets/api.ts"
import { abandonedEntries, dlq, entries } from "./targets/entries.ts"
import { bundles, settings, stateFiles } from "./targets/files.ts"
import { resp } from "./targets/redis.ts"
import { json, texts } from "./targets/texts.ts"

export const targets: ReadonlyArray<Target> = [
  entries,
  dlq,
  abandonedEntries,
  resp,
  answers,
  http,
  headers,
  bundles,
  stateFiles,
  settings,
  texts,
  json
]

/** Ends what some targets keep open between inputs. */
export const closeTargets = (): Promise<void> => closeHttp()
