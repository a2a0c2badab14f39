/** The three configuration files are of one version at every instant, and follow the API's in the end. */
import type { Replica } from "../../world/replica.ts"
import { goneForGood } from "../livenessPlan.ts"
import type { Checker, Scene } from "./checker.ts"

export const configDirectory = "/config"

const names = ["openai.conf", "models.conf", "limits.conf"] as const
const decoder = new TextDecoder()

/** The version that a file says; `none` where there is no file, `unreadable` where it is no JSON. */
const versionIn = (replica: Replica, name: string): number | "none" | "unreadable" => {
  let bytes: Uint8Array
  try {
    bytes = replica.disk.fileAt(`${configDirectory}/${name}`).data
  } catch {
    return "none"
  }
  try {
    const { version }: { version?: unknown } = JSON.parse(decoder.decode(bytes))
    return typeof version === "number" ? version : "unreadable"
  } catch {
    return "unreadable"
  }
}

export const configuration = ({ api, report, scenario, world }: Scene): Checker => {
  const found = new Map<string, number>()
  /** What each disk had been through when it was last looked at. */
  const lookedAt = new Map<string, number>()
  if (scenario.configEveryMs === undefined) return {}

  const look = (replica: Replica) => {
    const versions = names.map((name) => versionIn(replica, name))
    const [first] = versions
    if (first === undefined) return
    if (versions.some((version) => version !== first) || first === "unreadable") {
      report("torn-configuration", `${replica.name}: ${versions.join(", ")}`)
    } else if (typeof first === "number") {
      const before = found.get(replica.name)
      if (before !== undefined && first < before)
        report("older-configuration", `${replica.name}: ${first} after ${before}`)
      found.set(replica.name, first)
    }
  }

  for (const replica of world.replicas) {
    replica.disk.observe = (operation) => {
      if (operation === "rename" || operation === "remove") look(replica)
    }
  }
  return {
    onLook: () => {
      for (const replica of world.replicas) {
        const { operations } = replica.disk
        if (operations === lookedAt.get(replica.name)) continue
        lookedAt.set(replica.name, operations)
        look(replica)
      }
    },
    onGone: look,
    atEnd: () => {
      const broken = goneForGood(scenario.faults, world.elapsed)
      for (const replica of world.replicas) {
        const version = found.get(replica.name)
        if (broken.has(replica.name) || replica.collector === undefined || version === api.configurations.version)
          continue
        report("configuration-behind", `${replica.name} has ${version ?? "none"} of ${api.configurations.version}`)
      }
    }
  }
}
