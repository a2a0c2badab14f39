/** Who is let in (contract section 4): whoever signed these very bytes a moment ago with a key that is trusted. */
import { Effect } from "effect"
import { utf8 } from "../../domain/signing/bytes.ts"
import { MAX_DRIFT_SECONDS } from "../../domain/signing/signature.ts"
import type { Rule } from "./rule.ts"
import { broken, type Subject, shown } from "./subject.ts"

/** Seconds that a request may take on its way, and clocks differ. */
const margin = 3

/** Values that must not pass, though the signature in them is good. */
const malformed: ReadonlyArray<readonly [what: string, value: (timestamp: number, signature: string) => string]> = [
  ["another scheme", (timestamp, signature) => `Bearer ${timestamp}:${signature}`],
  ["no scheme", (timestamp, signature) => `${timestamp}:${signature}`],
  ["no timestamp", (_, signature) => `Ed25519 ${signature}`],
  ["an empty timestamp", (_, signature) => `Ed25519 :${signature}`],
  ["no signature", (timestamp) => `Ed25519 ${timestamp}`],
  ["an empty signature", (timestamp) => `Ed25519 ${timestamp}:`],
  ["a timestamp with a leading zero", (timestamp, signature) => `Ed25519 0${timestamp}:${signature}`],
  ["a timestamp with a sign", (timestamp, signature) => `Ed25519 +${timestamp}:${signature}`],
  ["a timestamp with a fraction", (timestamp, signature) => `Ed25519 ${timestamp}.0:${signature}`],
  ["a signature without padding", (timestamp, signature) => `Ed25519 ${timestamp}:${signature.replace(/=+$/, "")}`],
  ["a signature cut short", (timestamp, signature) => `Ed25519 ${timestamp}:${signature.slice(0, 84)}`],
  ["something after the signature", (timestamp, signature) => `Ed25519 ${timestamp}:${signature},x`]
]

const clockOf = (api: Subject): string => {
  const offset = api.clockOffset()
  return offset === undefined || Math.abs(offset) < 2 ? "" : `; by its Date header its clock is ${offset} s off`
}

export const authentication: ReadonlyArray<Rule> = [
  {
    id: "wrong-key",
    title: "a request signed by an unknown key is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      yield* api.refused(api.post(yield* api.event("wrong-key"), { signer: api.stranger }))
      return "401"
    })
  },
  {
    id: "tampered-body",
    title: "a body that is not the one that was signed is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      const signed = yield* api.event("tampered-body")
      const dearer = { ...signed, audio_seconds: 2 }
      yield* api.refused(api.post(dearer, { signedBody: utf8(JSON.stringify(signed)) }))
      return "401"
    })
  },
  {
    id: "tampered-time",
    title: "a time that is not the one that was signed is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      const authorization = (timestamp: number, signature: string) => `Ed25519 ${timestamp + 1}:${signature}`
      yield* api.refused(api.post(yield* api.event("tampered-time"), { authorization }))
      return "401"
    })
  },
  {
    id: "service-id",
    title: "an X-Service-Id that is not the one that was signed is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      const other = `${api.serviceId.slice(0, 60)}-not`
      yield* api.refused(
        api.post(yield* api.event("service-id-sent"), { headers: { "x-service-id": other } }),
        "another one sent: "
      )
      yield* api.refused(
        api.post(yield* api.event("service-id-signed"), { signedServiceId: other }),
        "another one signed: "
      )
      return "401 for another one sent, and for another one signed"
    })
  },
  {
    id: "missing-header",
    title: "a request without Authorization or X-Service-Id is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      for (const name of ["authorization", "x-service-id"]) {
        const sent = api.post(yield* api.event(`without-${name}`), { headers: { [name]: undefined } })
        yield* api.refused(sent, `without ${name}: `)
      }
      return "401 without either"
    })
  },
  {
    id: "malformed-header",
    title: "a malformed Authorization is refused with 401",
    check: Effect.fnUntraced(function* (api) {
      for (const [index, [what, authorization]] of malformed.entries()) {
        yield* api.refused(api.post(yield* api.event(`malformed-${index}`), { authorization }), `${what}: `)
      }
      return `401 for each of ${malformed.length}`
    })
  },
  {
    id: "verified-first",
    title: "the signature is checked before the body is parsed",
    check: Effect.fnUntraced(function* (api) {
      const sent = api.postBytes(`${api.prefix}verified-first`, utf8('{"event_id":'), { signer: api.stranger })
      yield* api.refused(sent, "a body that is not JSON, signed by an unknown key: ")
      return "401 for a body that is not JSON, signed by an unknown key"
    })
  },
  {
    id: "exact-bytes",
    title: "the signature is checked over the bytes as they came",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("exact-bytes", { attributes: { note: "naïve ☃ 🎈", number: 1 } })
      const spaced = JSON.stringify(event, null, 3).replace('"number": 1', '"number": 1.00e0')
      const odd = spaced.replace("naïve", "na\\u00efve")
      yield* api.accepted(api.postBytes(event.event_id, utf8(`${odd}\n`)), "JSON written in another way: ")
      return "JSON written in another way is accepted"
    })
  },
  {
    id: "drift-under",
    title: `a time less than ${MAX_DRIFT_SECONDS / 60} minutes off is accepted`,
    check: Effect.fnUntraced(function* (api) {
      for (const skew of [margin - MAX_DRIFT_SECONDS, MAX_DRIFT_SECONDS - margin]) {
        const sent = api.post(yield* api.event(`drift-of-${skew}`), { skew })
        yield* Effect.catchTag(api.accepted(sent, `${skew} s: `), "Broken", ({ seen }) => broken(seen + clockOf(api)))
      }
      return `${MAX_DRIFT_SECONDS - margin} s, either way`
    })
  },
  {
    id: "drift-over",
    title: `a time ${MAX_DRIFT_SECONDS / 60} minutes off or more is refused with 401`,
    check: Effect.fnUntraced(function* (api) {
      for (const skew of [-MAX_DRIFT_SECONDS, MAX_DRIFT_SECONDS + margin]) {
        const sent = api.post(yield* api.event(`drift-of-${skew}`), { skew })
        yield* api.refused(sent, `${skew} s${clockOf(api)}: `)
      }
      return `401 for ${-MAX_DRIFT_SECONDS} s and ${MAX_DRIFT_SECONDS + margin} s`
    })
  },
  {
    id: "replay",
    title: "a copy of a request makes no second job",
    check: Effect.fnUntraced(function* (api) {
      const event = yield* api.event("replay")
      // The same second and key give the same bytes and header: what is sent is a copy.
      let header: string | undefined
      const authorization = (timestamp: number, signature: string) => {
        header ??= `Ed25519 ${timestamp}:${signature}`
        return header
      }
      const first = yield* api.accepted(api.post(event, { authorization }))
      const { answer, result } = yield* api.post(event, { authorization })
      if (answer.status === 401) return "401 for the copy"
      if (result._tag !== "Accepted") return yield* broken(`the copy: ${shown(answer)}`)
      if (result.jobId !== first.jobId) return yield* broken(`job ${first.jobId}, and ${result.jobId} for the copy`)
      return `the copy is answered with the same job, ${first.jobId}`
    })
  }
]
