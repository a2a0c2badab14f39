/** `npm run documents`: writes the machine-readable descriptions of API, events and streams to `schemas/`. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { documents, textOf } from "./documents.ts"

const folder = join(import.meta.dirname, "../../schemas")
for (const [name, document] of Object.entries(documents)) writeFileSync(join(folder, name), textOf(document))
