/** The configurations that the simulated API serves: versions that go up, and now and then something nobody should take. */
import type { SimulatedResponse } from "../world/http.ts"

const bundleOf = (version: number, salt: string) => ({
  version,
  openai_keys: [{ id: "primary", key: `sk-simulated-${version}` }],
  model_configs: [
    { id: "gpt-4o", provider: "openai", enabled: true, rules: { salt }, costs: { input: version, output: 10 } }
  ],
  rate_limits: [{ model: "gpt-4o", requests_per_minute: 600, tokens_per_minute: 100_000 + version }]
})

export class Configurations {
  /** The highest version there was. */
  version = 1
  private served: unknown = bundleOf(1, "plain")
  private tag = "1"
  private serial = 0

  /** `next`: a higher version. `lower`, `other`, `broken`: what must be refused, until the next change. */
  change(how: string): void {
    this.serial += 1
    if (how === "next") this.version += 1
    this.tag = `${this.version}-${this.serial}`
    const bundle = bundleOf(this.version, "plain")
    if (how === "lower") this.served = bundleOf(Math.max(1, this.version - 1), "plain")
    else if (how === "other") this.served = bundleOf(this.version, `other ${this.serial}`)
    else if (how === "broken") this.served = { ...bundle, openai_keys: [...bundle.openai_keys, ...bundle.openai_keys] }
    else this.served = bundle
  }

  answer(known: string | undefined): SimulatedResponse {
    const etag = `"${this.tag}"`
    return known === etag ? { status: 304, headers: { etag } } : { status: 200, headers: { etag }, body: this.served }
  }
}
