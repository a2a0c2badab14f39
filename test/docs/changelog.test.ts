/** The changelog at a release. */
import { assert, describe, it } from "@effect/vitest"
import { readChange, released } from "../../scripts/release/changelog.ts"

const changelog = `# Changelog

## Unreleased

### Added

- One thing.

## 0.1.0

- All of it.
`

describe("a release's section of the changelog", () => {
  it("has what was unreleased and what waited, each under its heading", () => {
    const changes = [
      readChange('---\n"job-collector": minor\n---\n\nAnother,\nin two lines.\n'),
      readChange('---\n"job-collector": patch\n---\n\nA fault.\n')
    ]
    assert.strictEqual(
      released(changelog, "0.2.0", "2026-12-01", changes),
      `# Changelog

## Unreleased

## 0.2.0, 2026-12-01

### Added

- Another,
  in two lines.
- One thing.

### Fixed

- A fault.

## 0.1.0

- All of it.
`
    )
  })

  it("is not made of what is no changeset", () => {
    assert.throws(() => readChange('---\n"job-collector": huge\n---\n\nWhat?\n'), "This is no changeset")
    assert.throws(() => released("# Changelog\n", "0.2.0", "2026-12-01", []), 'has no "Unreleased"')
  })
})
