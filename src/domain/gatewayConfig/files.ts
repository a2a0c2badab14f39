/** The three files of a configuration: their names, modes and texts (contract section 7). */
import { Result } from "effect"
import { sameBytes } from "../signing/bytes.ts"
import { type Bundle, type ConfigRefused, checkBundle, type ListName, parseJson } from "./bundle.ts"

export type FileName = "openai.conf" | "models.conf" | "limits.conf"
export const fileNames: ReadonlyArray<FileName> = ["openai.conf", "models.conf", "limits.conf"]

export const listOfFile: Record<FileName, ListName> = {
  "openai.conf": "openai_keys",
  "models.conf": "model_configs",
  "limits.conf": "rate_limits"
}

/** Bytes of the files by name; a name is absent where the file does not exist. */
export type Contents = { readonly [name in FileName]?: Uint8Array }

/** The mode a file is installed with: the keys are for the owner, and for the group where one is given. */
export const fileMode = (name: FileName, withGroup: boolean): number =>
  name === "openai.conf" ? (withGroup ? 0o640 : 0o600) : 0o644

const encoder = new TextEncoder()

/** The files of a bundle: JSON objects `{"version", <list>}`, hence also valid HOCON. */
export const filesOfBundle = (bundle: Bundle): Required<Contents> => {
  const file = (list: ListName) =>
    encoder.encode(`${JSON.stringify({ version: bundle.version, [list]: bundle[list] }, null, 2)}\n`)
  return {
    "openai.conf": file("openai_keys"),
    "models.conf": file("model_configs"),
    "limits.conf": file("rate_limits")
  }
}

/** The version and the list a file holds; undefined where it is not such a file. */
export const partOfFile = (
  name: FileName,
  bytes: Uint8Array
): { readonly version: unknown; readonly list: unknown } | undefined => {
  const json = parseJson(bytes)?.json
  if (typeof json !== "object" || json === null) return undefined
  const { version, [listOfFile[name]]: list } = json as Record<string, unknown>
  return { version, list }
}

/** Puts the files back together: each must parse, all must carry one version, the whole must be a valid bundle. */
export const bundleOfFiles = (contents: Contents): Result.Result<Bundle, ConfigRefused | string> => {
  const parts: Record<string, unknown> = {}
  let version: unknown
  for (const name of fileNames) {
    const bytes = contents[name]
    if (bytes === undefined) return Result.fail(`${name} is missing`)
    const part = partOfFile(name, bytes)
    if (part === undefined) return Result.fail(`${name} is not a JSON object in UTF-8`)
    if (version !== undefined && part.version !== version) return Result.fail(`${name} is of another version`)
    version = part.version
    parts[listOfFile[name]] = part.list
  }
  return checkBundle({ version, ...parts })
}

/** Whether two files, either of which may be absent, are the same. */
export const sameFile = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a === undefined || b === undefined ? a === b : sameBytes(a, b)
