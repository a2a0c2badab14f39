/** Deliberate mistakes in installing configurations. */
import { Effect } from "effect"
import { HttpClient } from "effect/http"
import type { Bug } from "../simulate.ts"
import { answerInstead } from "./wrongly.ts"

export const configurationBugs: ReadonlyArray<Bug> = [
  {
    name: "no-fsync",
    rule: "configuration-behind",
    wrong: "installs configuration files without syncing them",
    overrides: () => ({
      files: (files) => ({
        ...files,
        open: (path, options) => Effect.map(files.open(path, options), (file) => ({ ...file, sync: Effect.void }))
      })
    })
  },
  {
    name: "never-modified",
    rule: "configuration-behind",
    wrong: "believes that the configuration is still the first that it got",
    overrides: () => {
      let got = false
      return {
        http: HttpClient.transformResponse(
          Effect.flatMap((response) => {
            if (response.request.method !== "GET" || response.status !== 200) return Effect.succeed(response)
            if (got) return answerInstead(response, 304)
            got = true
            return Effect.succeed(response)
          })
        )
      }
    }
  },
  {
    name: "one-file-unwritten",
    rule: "configuration-behind",
    wrong: "believes that it wrote one of the files",
    overrides: () => ({
      files: (files) => ({
        ...files,
        open: (path, options) =>
          Effect.map(files.open(path, options), (file) =>
            path.includes("limits.conf") && options?.flag === "wx" ? { ...file, writeAll: () => Effect.void } : file
          )
      })
    })
  }
]
