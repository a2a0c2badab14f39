import { Effect, type FileSystem } from "effect"
import { ConfigStoreError } from "../../services/ConfigStore.ts"
import { storeError } from "./storeFailure.ts"

/** The number of a group given by number or by name, as `/etc/group` lists it (group(5)). */
export const groupNumber = (fs: FileSystem.FileSystem, group: string): Effect.Effect<number, ConfigStoreError> =>
  /^[0-9]+$/.test(group)
    ? Effect.succeed(Number(group))
    : fs.readFileString("/etc/group").pipe(
        Effect.mapError(storeError),
        Effect.flatMap((text) => {
          const line = text.split("\n").find((entry) => entry.startsWith(`${group}:`))
          const number = line?.split(":")[2]
          return number !== undefined && /^[0-9]+$/.test(number)
            ? Effect.succeed(Number(number))
            : new ConfigStoreError({
                reason: "UnknownGroup",
                problem: `CONFIG_FILE_GROUP: there is no group ${group} in /etc/group: create it or give its number`
              })
        })
      )
