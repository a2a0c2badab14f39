import { Result } from "effect"
import { type Bundle, checkBundle } from "../../../src/domain/gatewayConfig/bundle.ts"
import { filesOfBundle } from "../../../src/domain/gatewayConfig/files.ts"
import type { Installation } from "../../../src/services/ConfigStore.ts"

/** A value that must be seen nowhere but in `openai.conf` and its record. */
export const canary = "sk-canary-7f3a9c51d2"

/** A valid bundle; its parts may be replaced. */
export const bundleOf = (version: number, parts: Partial<Bundle> = {}): Bundle =>
  Result.getOrThrow(
    checkBundle({
      version,
      openai_keys: [{ id: "primary", key: `${canary}-v${version}` }],
      model_configs: [
        {
          id: "gpt-4o",
          provider: "openai",
          enabled: true,
          rules: { max_tokens: 4096 },
          costs: { input: version / 2, output: 10 }
        }
      ],
      rate_limits: [{ model: "gpt-4o", requests_per_minute: 600, tokens_per_minute: 100_000 + version }],
      ...parts
    })
  )

export const bodyOf = (bundle: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(bundle))

export const installationOf = (bundle: Bundle, etag: string | null = null): Installation => ({
  contents: filesOfBundle(bundle),
  version: bundle.version,
  etag,
  reason: "install"
})
