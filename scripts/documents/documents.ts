import { asyncapi } from "./asyncapi.ts"
import { eventSchemas, type Json } from "./events.ts"
import { openapi } from "./openapi.ts"

/** What stands in `schemas/`: file name → document. */
export const documents: Readonly<Record<string, Json>> = {
  "openapi.json": openapi,
  "asyncapi.json": asyncapi,
  ...eventSchemas
}

export const textOf = (document: Json): string => `${JSON.stringify(document, null, 2)}\n`
