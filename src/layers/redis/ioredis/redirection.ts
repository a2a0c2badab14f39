import type { Address } from "./settings.ts"

/** Where a Cluster says a command belongs: for good (MOVED) or only this once, after ASKING (ASK). */
export interface Redirection {
  readonly asking: boolean
  readonly slot: number
  readonly address: Address
}

/** Reads `MOVED slot host:port` or `ASK slot host:port`; a missing host is the host that answered. */
export const redirectionOf = (error: Error, answered: Address): Redirection | undefined => {
  const parts = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message)
  if (parts === null) return undefined
  const [, kind, slot, host, port] = parts
  return {
    asking: kind === "ASK",
    slot: Number(slot),
    address: { host: host === "" || host === undefined ? answered.host : host, port: Number(port) }
  }
}
