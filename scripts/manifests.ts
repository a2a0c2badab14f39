/** Writes the manifests of deploy/kubernetes, which are the chart's: `npm run manifests`. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { kustomizeFiles } from "./chart/kustomize.ts"

for (const [name, text] of kustomizeFiles()) {
  writeFileSync(fileURLToPath(new URL(`../deploy/kubernetes/${name}`, import.meta.url)), text)
}
