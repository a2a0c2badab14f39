/** How the files on disk differ from what was installed, in lines fit for a log. */
import { type Bundle, nestsTooDeep } from "./bundle.ts"
import { diff, renderChanges } from "./diff.ts"
import { type Contents, type FileName, fileNames, listOfFile, partOfFile, sameFile } from "./files.ts"

/** The edited parameters of one file, by path; the file alone where it cannot be read as one. */
const editsOf = (name: FileName, installed: Bundle | undefined, bytes: Uint8Array): ReadonlyArray<string> => {
  const part = partOfFile(name, bytes)
  const list = listOfFile[name]
  if (installed === undefined || part === undefined || !Array.isArray(part.list) || nestsTooDeep(part.list)) {
    return [`${name}: edited`]
  }
  const edits = renderChanges(diff(installed, { ...installed, [list]: part.list }))
  const other = part.version !== installed.version
  return [
    ...(other ? [`${name}: of another version`] : []),
    ...edits,
    ...(other || edits.length > 0 ? [] : [`${name}: edited`])
  ]
}

/** Compares contents with the installed ones; `installed` names parameters where the recorded files are a bundle. */
export const describeEdits = (
  recorded: Contents,
  installed: Bundle | undefined,
  found: Contents
): ReadonlyArray<string> =>
  fileNames.flatMap((name) => {
    const bytes = found[name]
    if (sameFile(recorded[name], bytes)) return []
    return bytes === undefined ? [`${name}: removed`] : editsOf(name, installed, bytes)
  })
