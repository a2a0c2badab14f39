/** APIs that are wrong in one thing each, and the rules of verify-api that say so. */
import { createHash } from "node:crypto"
import { type Answer, error, type Incoming, type Signing, type Wrong } from "./wrong-api.ts"

const isPost = ({ method }: Incoming) => method === "POST"
const isGet = ({ method }: Incoming) => method === "GET"

/** Passed on as if all that is said of the signature were right. */
const lettingIn =
  (when: (incoming: Incoming, signing: Signing) => boolean): NonNullable<Wrong["request"]> =>
  (incoming, signing) =>
    when(incoming, signing) ? signing.resigned(incoming) : incoming

const genuine = (incoming: Incoming, signing: Signing) =>
  signing.isSigned(incoming) && Math.abs(signing.drift(incoming)) < 300

const parsed = (text: string): Record<string, unknown> | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const withBody = (answer: Answer, change: (body: Record<string, unknown>) => unknown): Answer => {
  const body = parsed(answer.body)
  return body === undefined ? answer : { ...answer, body: JSON.stringify(change(body)) }
}

const accepted =
  (change: (body: Record<string, unknown>, incoming: Incoming) => unknown): NonNullable<Wrong["answer"]> =>
  (answer, incoming) =>
    isPost(incoming) && answer.status === 200 ? withBody(answer, (body) => change(body, incoming)) : answer

const refusing =
  (
    when: (body: Record<string, unknown>, incoming: Incoming) => boolean,
    status: number
  ): NonNullable<Wrong["request"]> =>
  (incoming, signing) => {
    const body = parsed(incoming.body)
    return isPost(incoming) && genuine(incoming, signing) && body !== undefined && when(body, incoming)
      ? error(status)
      : incoming
  }

const configuration =
  (change: (answer: Answer, incoming: Incoming) => Answer): NonNullable<Wrong["answer"]> =>
  (answer, incoming) =>
    isGet(incoming) && answer.status === 200 ? change(answer, incoming) : answer

const leaving = ({ headers, ...answer }: Answer, ...names: ReadonlyArray<string>): Answer => ({
  ...answer,
  headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !names.includes(name)))
})

/** The event under another id: what it would be to an API that does not know it again. */
const renamed = (incoming: Incoming, signing: Signing, id: string): Incoming => {
  const body = JSON.stringify({ ...parsed(incoming.body), event_id: id })
  return signing.resigned({ ...incoming, body, headers: { ...incoming.headers, "idempotency-key": id } })
}

const forgetful = (): Wrong => {
  let count = 0
  return {
    request: (incoming, signing) => {
      const id = parsed(incoming.body)?.event_id
      return genuine(incoming, signing) && id !== undefined && id === incoming.headers["idempotency-key"]
        ? renamed(incoming, signing, `${id}-${count++}`)
        : incoming
    }
  }
}

/** Looks the event up, and stores it only later. */
const racing = (): Wrong => {
  const underWay = new Map<string, number>()
  const idOf = (incoming: Incoming) => `${parsed(incoming.body)?.event_id}`
  return {
    request: (incoming, signing) => {
      if (!isPost(incoming) || !genuine(incoming, signing)) return incoming
      const others = underWay.get(idOf(incoming)) ?? 0
      underWay.set(idOf(incoming), others + 1)
      return others === 0 ? incoming : renamed(incoming, signing, `${idOf(incoming)}-${others}`)
    },
    answer: (answer, incoming) => {
      underWay.delete(idOf(incoming))
      return answer
    }
  }
}

const counting = (change: (answer: Answer, count: number) => Answer): Wrong => {
  let count = 0
  return {
    answer: configuration((answer) => leaving(change(answer, count++), "content-digest"))
  }
}

const replayed =
  (change: (answer: Answer) => Answer): NonNullable<Wrong["answer"]> =>
  (answer) =>
    answer.headers["idempotency-replayed"] === "true" ? change(answer) : answer

const refusal =
  (change: (answer: Answer) => Answer): NonNullable<Wrong["answer"]> =>
  (answer) =>
    answer.status >= 400 ? change(answer) : answer

const seconds = ({ body }: Incoming) => Number(parsed(body)?.audio_seconds)

/** The lines that name a job that is there twice. */
const twice = ["replay", "same-event", "at-once"]

export const wrongApis: ReadonlyArray<{
  readonly name: string
  readonly rules: ReadonlyArray<string>
  readonly make: () => Wrong
}> = [
  {
    name: "takes any signature",
    rules: ["wrong-key", "tampered-body", "tampered-time", "service-id", "verified-first", "configuration-signed"],
    make: () => ({
      request: lettingIn((it, signing) => signing.isWellFormed(it) && Math.abs(signing.drift(it)) < 300)
    })
  },
  {
    name: "answers 403 to a wrong signature",
    rules: ["wrong-key", "tampered-body", "tampered-time", "service-id", "verified-first", "configuration-signed"],
    make: () => ({
      answer: refusal((it) => (it.body.includes("WRONG_SIGNATURE") ? { ...it, status: 403 } : it))
    })
  },
  {
    name: "does not look at the body's digest",
    rules: ["tampered-body"],
    make: () => ({
      request: (it, signing) => {
        const body = parsed(it.body)
        const signed = { ...it, body: JSON.stringify({ ...body, audio_seconds: 1 }) }
        return body?.audio_seconds === 2 && genuine(signed, signing) ? signing.resigned(it) : it
      }
    })
  },
  {
    name: "takes the service id that it expects for the one that was sent",
    rules: ["service-id"],
    make: () => ({
      request: (it) =>
        it.headers["x-service-id"] === undefined
          ? it
          : { ...it, headers: { ...it.headers, "x-service-id": "job-collector" } }
    })
  },
  {
    name: "answers 400 where a header is missing",
    rules: ["missing-header", "configuration-signed"],
    make: () => ({ answer: refusal((it) => (it.body.includes("MISSING_HEADER") ? { ...it, status: 400 } : it)) })
  },
  {
    name: "lets in who sends no header at all",
    rules: ["configuration-signed"],
    make: () => ({
      request: (it, signing) =>
        it.headers.authorization === undefined && it.headers["x-service-id"] === undefined
          ? signing.resigned({ ...it, headers: { ...it.headers, "x-service-id": "job-collector" } })
          : it
    })
  },
  {
    name: "reads the timestamp as any number",
    rules: ["malformed-header"],
    make: () => ({
      request: (it) => {
        const authorization = it.headers.authorization?.replace(/^Ed25519 [0+]+/, "Ed25519 ").replace(/\.\d+:/, ":")
        return authorization === undefined ? it : { ...it, headers: { ...it.headers, authorization } }
      }
    })
  },
  {
    name: "takes base64 without padding",
    rules: ["malformed-header"],
    make: () => ({
      request: (it) => {
        const authorization = it.headers.authorization?.replace(/:([A-Za-z0-9+/]{86})$/, ":$1==")
        return authorization === undefined ? it : { ...it, headers: { ...it.headers, authorization } }
      }
    })
  },
  {
    name: "parses before it verifies",
    rules: ["verified-first"],
    make: () => ({ request: (it) => (isPost(it) && parsed(it.body) === undefined ? error(400) : it) })
  },
  {
    name: "verifies its own spelling of the JSON",
    rules: ["exact-bytes"],
    make: () => ({
      request: (it, signing) => {
        const body = parsed(it.body)
        if (body === undefined) return it
        const spelled = { ...it, body: JSON.stringify(body) }
        return genuine(it, signing) && !signing.isSigned(spelled) ? error(401) : it
      }
    })
  },
  {
    name: "does not look at the time",
    rules: ["drift-over", "configuration-signed"],
    make: () => ({ request: lettingIn((it, signing) => signing.isSigned(it)) })
  },
  {
    name: "takes any time to come",
    rules: ["drift-over"],
    make: () => ({ request: lettingIn((it, signing) => signing.isSigned(it) && signing.drift(it) > 0) })
  },
  {
    name: "takes five minutes and a bit",
    rules: ["drift-over"],
    make: () => ({
      request: lettingIn((it, signing) => signing.isSigned(it) && Math.abs(signing.drift(it)) < 330)
    })
  },
  {
    name: "refuses what is four minutes old",
    rules: ["drift-under"],
    make: () => ({
      request: (it, signing) => (genuine(it, signing) && signing.drift(it) < -240 ? error(401) : it)
    })
  },
  { name: "makes a job of every request", rules: twice, make: forgetful },
  {
    name: "answers an event again with another job",
    rules: twice,
    make: () => ({
      answer: replayed((it) => withBody(it, (body) => ({ ...body, job_id: Number(body.job_id) + 1_000_000 })))
    })
  },
  {
    name: "refuses an event that comes again",
    rules: twice,
    make: () => ({ answer: replayed(() => error(422)) })
  },
  {
    name: "answers 409 without the job",
    rules: twice,
    make: () => ({ answer: replayed(() => error(409)) })
  },
  {
    name: "deducts nothing, it says, the second time",
    rules: ["same-event"],
    make: () => ({ answer: replayed((it) => withBody(it, (body) => ({ ...body, credits_deducted: 0 }))) })
  },
  { name: "makes two jobs of what comes at once", rules: ["at-once"], make: racing },
  {
    name: "goes by the body alone and takes any Idempotency-Key",
    rules: ["idempotency-key"],
    make: () => ({
      request: (it) => {
        const id = parsed(it.body)?.event_id
        return typeof id === "string" ? { ...it, headers: { ...it.headers, "idempotency-key": id } } : it
      }
    })
  },
  {
    name: "rounds credits down",
    rules: ["credits"],
    make: () => ({
      answer: accepted((body, it) =>
        Number.isNaN(seconds(it))
          ? body
          : { ...body, credits_deducted: Math.max(1, Math.floor(seconds(it) * 5.555556)) }
      )
    })
  },
  {
    name: "gives no audio for nothing",
    rules: ["credits"],
    make: () => ({ answer: accepted((body, it) => (seconds(it) === 0 ? { ...body, credits_deducted: 0 } : body)) })
  },
  {
    name: "says credits as text",
    rules: ["good-request"],
    make: () => ({ answer: accepted((body) => ({ ...body, credits_deducted: `${body.credits_deducted}` })) })
  },
  {
    name: "names no job",
    rules: ["good-request"],
    make: () => ({ answer: accepted(({ credits_deducted }) => ({ credits_deducted })) })
  },
  {
    name: "knows no result but text",
    rules: ["process-event"],
    make: () => ({ request: refusing(({ result }) => typeof result === "object", 400) })
  },
  {
    name: "refuses metadata",
    rules: ["optional-fields"],
    make: () => ({ request: refusing(({ metadata }) => metadata !== undefined, 400) })
  },
  {
    name: "takes a hundred attributes",
    rules: ["unknown-fields"],
    make: () => ({ request: refusing(({ attributes }) => Object.keys(attributes ?? {}).length > 100, 400) })
  },
  {
    name: "takes 100 kB, as body parsers do by default",
    rules: ["large-body"],
    make: () => ({ request: refusing((_, { body }) => body.length > 100_000, 413) })
  },
  { name: "waits for no slow client", rules: ["slow-client"], make: () => ({ patienceMs: 1_200 }) },
  {
    name: "answers 500 to what is not JSON",
    rules: ["not-json"],
    make: () => ({
      request: (it, signing) => (isPost(it) && genuine(it, signing) && parsed(it.body) === undefined ? error(500) : it)
    })
  },
  {
    name: "answers 503 to what is invalid",
    rules: ["invalid-event"],
    make: () => ({ request: refusing(({ audio_seconds: seconds }) => Number(seconds) < 0, 503) })
  },
  {
    name: "takes negative audio",
    rules: ["invalid-event"],
    make: () => ({
      request: (it, signing) => {
        const body = parsed(it.body)
        return genuine(it, signing) && Number(body?.audio_seconds) < 0
          ? signing.resigned({ ...it, body: JSON.stringify({ ...body, audio_seconds: 1 }) })
          : it
      }
    })
  },
  {
    name: "says errors in HTML",
    rules: ["error-bodies"],
    make: () => ({
      answer: refusal((it) => ({ ...it, body: "<h1>No</h1>", headers: { "content-type": "text/html" } }))
    })
  },
  {
    name: "says errors in another shape",
    rules: ["error-bodies"],
    make: () => ({ answer: refusal((it) => ({ ...it, body: '{"message":"no"}' })) })
  },
  {
    name: "serves no ETag",
    rules: ["etag"],
    make: () => ({ answer: configuration((it) => leaving(it, "etag")) })
  },
  {
    name: "never says 304",
    rules: ["etag"],
    make: () => ({
      request: (it) => ({ ...it, headers: leaving({ ...error(200), headers: it.headers }, "if-none-match").headers })
    })
  },
  {
    name: "says 304 to whoever asks",
    rules: ["etag"],
    make: () => ({
      answer: configuration((it, { headers }) => (headers["if-none-match"] === undefined ? it : { ...it, status: 304 }))
    })
  },
  {
    name: "digests something else",
    rules: ["content-digest"],
    make: () => ({
      answer: configuration((it) => ({
        ...it,
        headers: {
          ...it.headers,
          "content-digest": `sha-256=:${createHash("sha256").update("other").digest("base64")}:`
        }
      }))
    })
  },
  {
    name: "serves versions that fall",
    rules: ["version"],
    make: () => counting((it, count) => withBody(it, (body) => ({ ...body, version: 1_000 - count })))
  },
  {
    name: "serves one version with several contents",
    rules: ["version"],
    make: () =>
      counting((it, count) => withBody(it, (body) => ({ ...body, openai_keys: [{ id: "a", key: `k${count}` }] })))
  },
  {
    name: "limits a model that is not there",
    rules: ["configuration", "etag", "content-digest", "version"],
    make: () => ({ answer: configuration((it) => withBody(it, (body) => ({ ...body, model_configs: [] }))) })
  },
  {
    name: "sends the configuration elsewhere",
    rules: ["configuration", "etag", "content-digest", "version", "plain-answers"],
    make: () => ({
      answer: configuration((it) => ({ ...it, status: 302, headers: { location: "https://example.com/" }, body: "" }))
    })
  },
  {
    name: "encodes unasked",
    rules: ["error-bodies", "plain-answers"],
    make: () => ({
      answer: refusal((it) => ({ ...it, headers: { ...it.headers, "content-encoding": "br" }, body: "?" }))
    })
  },
  {
    name: "closes every connection",
    rules: ["keep-alive"],
    make: () => ({ answer: (it) => ({ ...it, headers: { ...it.headers, connection: "close" } }) })
  }
]

/** Not wrong: a 409 that names the job is a success. */
export const conflicting: Wrong = { answer: replayed((it) => ({ ...it, status: 409 })) }

/** Not wrong: copies are refused by a replay guard, known by their signature. */
export const guarding = (): Wrong => {
  const seen = new Set<string>()
  return {
    request: (it, signing) => {
      const { authorization = "" } = it.headers
      if (!isPost(it) || !genuine(it, signing)) return it
      if (seen.has(authorization)) return error(401)
      seen.add(authorization)
      return it
    }
  }
}
