/**
 * How a source tree is laid out, in numbers: `npm run structure` for `src`, `npm run structure -- <directory>` for another
 * one, an older checkout's say.
 */
import { fileURLToPath } from "node:url"
import {
  floorsOf,
  folderArrows,
  folderCircles,
  folderOf,
  type Module,
  moduleCircles,
  modulesIn
} from "./support/source-modules.ts"

const root = process.argv[2] ?? fileURLToPath(new URL("../src", import.meta.url))
const modules = modulesIn(root)
const folders = [...new Set(modules.map(folderOf))].sort()
const arrows = folderArrows(modules)
const linesOf = (of: ReadonlyArray<Module>) => of.reduce((sum, { lines }) => sum + lines, 0)
const count = (name: string, value: number) => console.log(`${String(value).padStart(7)}  ${name}`)

console.log(root)
count("files", modules.length)
count("lines", linesOf(modules))
count("folders", folders.length)
count("arrows between folders", arrows.length)
const circles = moduleCircles(modules)
count("circles of files, type imports included", circles.length)
for (const circle of circles) console.log(`           ${circle.join(" ↔ ")}`)
const rooms = folderCircles(modules)
count("circles of folders", rooms.length)
for (const circle of rooms) console.log(`           ${circle.join(" ↔ ")}`)

const row = (...columns: ReadonlyArray<number | string>) =>
  console.log(
    columns.map((column) => (typeof column === "number" ? String(column).padStart(7) : `  ${column}`)).join("")
  )

console.log("\n  A floor's rooms are what stands in its directory itself: folders, and files beside them.\n")
console.log("  rooms arrows  floor")
for (const { floor, rooms, arrows } of floorsOf(modules)) row(rooms, arrows, floor)

console.log("\n  files  lines    out     in  folder")
for (const folder of folders) {
  const inside = modules.filter((module) => folderOf(module) === folder)
  row(
    inside.length,
    linesOf(inside),
    arrows.filter(([from]) => from === folder).length,
    arrows.filter(([, to]) => to === folder).length,
    folder
  )
}
