import { Result } from "effect"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type Bundle, contentOf, decodeBundle } from "../../src/domain/gatewayConfig/bundle.ts"
import { diff, renderChanges } from "../../src/domain/gatewayConfig/diff.ts"
import { digestProblem } from "../../src/domain/gatewayConfig/digest.ts"
import { bundleOfFiles, filesOfBundle } from "../../src/domain/gatewayConfig/files.ts"
import { bodyOf, bundleOf } from "./support/bundles.ts"

const lines = (before: Bundle | undefined, after: Bundle) => renderChanges(diff(before, after))
const model = (id: string, parts: object = {}) => ({
  id,
  provider: "openai",
  enabled: true,
  rules: {},
  costs: {},
  ...parts
})

describe("the diff of two bundles", () => {
  const at = (parts: Partial<Bundle>) => bundleOf(1, { rate_limits: [], ...parts })

  it("names entries by id and model, whatever their order", () => {
    const before = at({ model_configs: [model("a"), model("gpt-4o", { costs: { input: 2.5 } }), model("gone")] })
    const after = at({ model_configs: [model("new"), model("gpt-4o", { costs: { input: 3 } }), model("a")] })
    assert.deepStrictEqual(lines(before, after), [
      "~ model_configs.gpt-4o.costs.input: 2.5 → 3",
      "- model_configs.gone",
      "+ model_configs.new"
    ])
    assert.deepStrictEqual(lines(before, before), [])
  })

  it("goes into nested arrays, by id where all have one, else by position", () => {
    const rules = (tiers: unknown, tags: unknown) => at({ model_configs: [model("m", { rules: { tiers, tags } })] })
    assert.deepStrictEqual(
      lines(
        rules(
          [
            { id: "x", max: 1 },
            { id: "y", max: 2 }
          ],
          ["a", "b"]
        ),
        rules(
          [
            { id: "y", max: 3 },
            { id: "x", max: 1 }
          ],
          ["a", "c", "d"]
        )
      ),
      [
        "~ model_configs.m.rules.tiers.y.max: 2 → 3",
        '~ model_configs.m.rules.tags.1: "b" → "c"',
        '+ model_configs.m.rules.tags.2: "d"'
      ]
    )
  })

  it("shows nothing secret: keys, what is named like one, what looks like one, and a key found elsewhere", () => {
    const before = at({ openai_keys: [{ id: "primary", key: "hidden-1", org: "hidden-org", weight: 1 }] })
    const after = at({
      openai_keys: [
        { id: "primary", key: "hidden-2", org: "hidden-org2", weight: 2 },
        { id: "b", key: "hidden-3" }
      ],
      model_configs: [
        model("gpt-4o", {
          rules: { max_tokens: 1, apiKey: "hidden-4", auth: { user: "hidden-5" }, note: "uses hidden-2 now" },
          costs: { input: 0.5, output: 10, currency: "sk-hidden6789", feed: "https://u:hidden-7@host/" },
          "hidden-3": true
        })
      ]
    })
    const text = lines(before, after).join("\n")
    assert.notInclude(text, "hidden")
    assert.include(text, "~ openai_keys.primary.key: [redacted] → [redacted]")
    assert.include(text, "~ openai_keys.primary.weight: [redacted] → [redacted]")
    assert.include(text, "model_configs.gpt-4o.rules.max_tokens: 4096 → 1")
    assert.include(text, "+ openai_keys.b")
  })

  it("is cut where it is long", () => {
    const many = at({ model_configs: Array.from({ length: 150 }, (_, n) => model(`m${n}`)) })
    const shown = renderChanges(diff(at({ model_configs: [] }), many))
    assert.strictEqual(shown.length, 101)
    assert.strictEqual(shown[100], "… and 50 more")
    const long = lines(
      at({ model_configs: [model("m")] }),
      at({ model_configs: [model("m", { provider: "x".repeat(5_000) })] })
    )
    assert.isBelow(long.join().length, 200)
  })

  it("shows no part of a secret that begins before a cut and ends behind it", () => {
    for (const length of [100, 600, 3_000]) {
      const secret = Array.from({ length }, (_, n) => String.fromCharCode(97 + (n % 26))).join("")
      for (let before = 0; before <= 130; before++) {
        const text = `${"-".repeat(before)}${secret}`
        const after = at({
          openai_keys: [{ id: "primary", key: secret }],
          model_configs: [model("m", { rules: { note: text, [text]: 1 }, provider: text })]
        })
        const shown = lines(at({ model_configs: [model("m")] }), after).join("\n")
        assert.notInclude(shown, "abcdefgh", `${before} before ${length}`)
      }
    }
  })

  it("of 20,000 keys takes no longer than any other walk over them", () => {
    const many = (secret: string) =>
      at({
        openai_keys: Array.from({ length: 20_000 }, (_, n) => ({ id: `key-${n}`, key: `sk-${secret}-${n}-0123456789` }))
      })
    const start = performance.now()
    const { changes, total } = diff(many("before"), many("after"))
    const took = performance.now() - start
    assert.deepStrictEqual([changes.length, total], [100, 20_000])
    // A tenth of a second of a quiet machine's; with every secret looked for in every line, 41 s.
    assert.isBelow(took, 10_000)
  })

  it("is empty exactly where the content is the same", () => {
    const value = fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom("a", "b"), fc.constant(null))
    const part = fc.dictionary(fc.constantFrom("x", "y", "__proto__", "constructor"), value, { maxKeys: 3 })
    const bundles = fc
      .array(part, { maxLength: 3 })
      .map((parts) => at({ model_configs: parts.map((rules, n) => model(`m${n}`, { rules })) }))
    fc.assert(
      fc.property(bundles, bundles, (a, b) => {
        assert.strictEqual(diff(a, b).total === 0, contentOf(a) === contentOf(b))
      })
    )
  })
})

describe("the files of a bundle", () => {
  it("give the bundle back, with everything it carried", () => {
    const odd = JSON.parse('{"__proto__": {"x": 1}, "deep": [[{"a": 1e-7}]], "text": "\\u2028 \\ud83d\\ude00"}')
    const bundle = bundleOf(7, { model_configs: [model("gpt-4o", { rules: odd })] })
    const back = Result.getOrThrow(bundleOfFiles(filesOfBundle(bundle)))
    assert.strictEqual(JSON.stringify(back), JSON.stringify(bundle))
    assert.strictEqual(JSON.stringify(Result.getOrThrow(decodeBundle(bodyOf(bundle)))), JSON.stringify(bundle))
  })

  it("keep every digit of a number, in the files, in comparisons and in what is shown", () => {
    const text = (id: string, price: string, limit = "600") =>
      `{"version":7,"openai_keys":[{"id":"a","key":"k"}],"model_configs":[{"id":"m","provider":"p","enabled":true,` +
      `"rules":{"account":${id}},"costs":{"input":${price},"steps":[1,${price}]}}],` +
      `"rate_limits":[{"model":"m","requests_per_minute":${limit},"tokens_per_minute":1}]}`
    const bundle = (...parts: Parameters<typeof text>) =>
      Result.getOrThrow(decodeBundle(new TextEncoder().encode(text(...parts))))
    const account = "12345678901234567891"
    const price = "0.1000000000000000055511151231257827"
    const one = bundle(account, price, "600.00000000000000001")
    const models = new TextDecoder().decode(filesOfBundle(one)["models.conf"])
    assert.include(models, `"account": ${account}`)
    assert.strictEqual(models.split(price).length, 3)
    assert.include(new TextDecoder().decode(filesOfBundle(one)["limits.conf"]), "600.00000000000000001")
    const back = Result.getOrThrow(bundleOfFiles(filesOfBundle(one)))
    assert.strictEqual(contentOf(back), contentOf(one))
    assert.deepStrictEqual(lines(one, back), [])
    // The same double, another number.
    const other = bundle("12345678901234567892", price, "600.00000000000000001")
    assert.notStrictEqual(contentOf(other), contentOf(one))
    assert.deepStrictEqual(lines(one, other), [`~ model_configs.m.rules.account: ${account} → 12345678901234567892`])
  })

  it("are refused where a long number stands for something else, or is beyond what is allowed", () => {
    const refused = (json: string) => {
      const result = decodeBundle(new TextEncoder().encode(json))
      return Result.isFailure(result) ? result.failure.problem : "taken"
    }
    const long = "12345678901234567891"
    const entry = `"id":"m","provider":"p","enabled":true,"rules":{}`
    const with_ = (version: string, costs: string, rate: string) =>
      `{"version":${version},"openai_keys":[],"model_configs":[{${entry},"costs":${costs}}],` +
      `"rate_limits":[{"model":"m","requests_per_minute":${rate},"tokens_per_minute":1}]}`
    assert.strictEqual(refused(with_("1", "{}", "1")), "taken")
    assert.include(refused(with_("1", long, "1")), "model_configs.0.costs")
    assert.include(refused(with_("1", "{}", "1e400")), "rate_limits.0.requests_per_minute")
    assert.include(refused(with_("1", "{}", `-${long}`)), "rate_limits.0.requests_per_minute")
    assert.include(refused(with_(long, "{}", "1")), "version")
  })

  it("of two versions are no bundle", () => {
    const mixed = { ...filesOfBundle(bundleOf(1)), "limits.conf": filesOfBundle(bundleOf(2))["limits.conf"] }
    assert.include(JSON.stringify(bundleOfFiles(mixed)), "limits.conf is of another version")
  })

  it("hold a version and one list each", () => {
    const files = filesOfBundle(bundleOf(3))
    const keys = Object.values(files).map((bytes) => Object.keys(JSON.parse(new TextDecoder().decode(bytes))))
    assert.deepStrictEqual(keys, [
      ["version", "openai_keys"],
      ["version", "model_configs"],
      ["version", "rate_limits"]
    ])
  })
})

describe("Content-Digest", () => {
  const functions = { "sha-256": () => Uint8Array.of(1, 2, 3), "sha-512": () => Uint8Array.of(4, 5, 6, 7) }
  const problem = (field: string) => digestProblem(field, new Uint8Array(), functions)

  it("is compared for every algorithm that is known", () => {
    assert.isUndefined(problem("sha-256=:AQID:"))
    assert.isUndefined(problem("sha-512=:BAUGBw==:"))
    assert.isUndefined(problem("sha-512=:BAUGBw==:,  sha-256=:AQID:;q=1"))
    assert.isUndefined(problem("md5=:AAAA:"))
    assert.match(problem("sha-256=:AQIE:") ?? "", /sha-256/)
    assert.match(problem("sha-256=:AQID:, sha-512=:AQID:") ?? "", /sha-512/)
    assert.match(problem("sha-256=::") ?? "", /sha-256/)
  })

  it("that cannot be parsed matches nothing", () => {
    for (const field of ["", "sha-256", "sha-256=AQID", "sha-256=:AQID", "sha-256=:A QID:", ",", "SHA-256=:AQID:"]) {
      assert.strictEqual(problem(field), "Content-Digest is malformed", field)
    }
  })
})
