/** HTTP in a world: requests reach a host of the test's own, through a network with network conditions. */
import { Effect } from "effect"
import { HttpClient, HttpClientError, type HttpClientRequest, type HttpClientResponse } from "effect/http"
import { LeanHttpResponse } from "../../layers/http/LeanHttpResponse.ts"
import type { Chance } from "./chance.ts"
import type { Hooks } from "./hooks.ts"
import type { Kernel } from "./kernel.ts"
import type { Process } from "./process.ts"

/** A request as it arrives. */
export interface SimulatedRequest {
  readonly method: string
  /** With its leading slash, without the query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  readonly text: string
}

/** What a host answers. */
export interface SimulatedResponse {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown
  /** How long the host takes over it, in milliseconds. */
  readonly afterMs?: number
}

/** What a host may look at. */
export interface HostContext {
  /** The host's clock, in epoch milliseconds. */
  readonly now: number
  readonly chance: Chance
  /** The process that sent the request. */
  readonly client: string
}

/** A host: does its work when a request arrives, and answers. */
export type Host = (request: SimulatedRequest, context: HostContext) => SimulatedResponse

/** What befalls requests, each with a probability; the first that applies. */
export interface NetworkConditions {
  /** The connection is refused. */
  readonly refused?: number
  /** The request is lost on the way: no answer ever. */
  readonly lost?: number
  /** Answered with this status by whatever stands before the host. */
  readonly statuses?: Readonly<Record<number, number>>
  /** `Retry-After` of those, in seconds. */
  readonly retryAfter?: number
  /** The host does its work, and its answer is lost: the connection is reset, or nothing comes. */
  readonly replyLost?: number
  /** The host does its work, and its answer arrives as garbage. */
  readonly garbage?: number
  /** Milliseconds added to every answer, on average. */
  readonly slower?: number
}

/** How an attempt ended as its process saw it; `undefined` status: no answer. */
export interface Exchange {
  readonly process: Process
  readonly request: SimulatedRequest
  /** Epoch microseconds. */
  readonly sentAt: number
}

/** Looks on at the requests. */
export interface HttpWatcher {
  readonly onSent?: (exchange: Exchange) => void
  readonly onArrival?: (exchange: Exchange) => void
  readonly onAnswer?: (exchange: Exchange, response: SimulatedResponse) => void
  /** `status` 0: no answer came (refused, reset); -1: the process gave up waiting. */
  readonly onEnd?: (exchange: Exchange, status: number, body: string, headers: Readonly<Record<string, string>>) => void
}

type Resume = (effect: Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>) => void

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const nothing = new Uint8Array(0)

const pathOf = (url: string): string => {
  const from = url.indexOf("/", url.indexOf("://") + 3)
  const query = url.indexOf("?")
  return from < 0 ? "/" : url.slice(from, query < 0 ? undefined : query)
}

const toSimulated = (request: HttpClientRequest.HttpClientRequest): SimulatedRequest => {
  const body = request.body._tag === "Uint8Array" ? request.body.body : nothing
  let text: string | undefined
  return {
    method: request.method,
    path: pathOf(request.url),
    headers: request.headers,
    body,
    get text() {
      text ??= decoder.decode(body)
      return text
    }
  }
}

const bodyText = ({ body }: SimulatedResponse): string =>
  body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body)

const broken = (request: HttpClientRequest.HttpClientRequest, problem: string) =>
  Effect.fail(
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.TransportError({ request, cause: new Error(problem) })
    })
  )

const garbage = ["", "<html>Bad gateway</html>", '{"job_id":', "null", '{"job_id":{}}', "\u0000\u0001\u0002"] as const

export class HttpNetwork {
  /** The network conditions while there is no other. */
  usualConditions: NetworkConditions = {}
  conditions: NetworkConditions | undefined
  private readonly kernel: Kernel
  private readonly chance: Chance
  private readonly hostChance: Chance
  private readonly host: Host
  private readonly hooks: Hooks<HttpWatcher>
  private readonly onSend: (process: Process, request: SimulatedRequest) => boolean

  /** `onSend` may say that the process does not live to send a request. */
  constructor(
    kernel: Kernel,
    host: Host,
    hooks: Hooks<HttpWatcher>,
    onSend: (process: Process, request: SimulatedRequest) => boolean
  ) {
    this.kernel = kernel
    this.host = host
    this.hooks = hooks
    this.onSend = onSend
    this.chance = kernel.chance.fork("http")
    this.hostChance = kernel.chance.fork("host")
  }

  private get now(): NetworkConditions {
    return this.conditions ?? this.usualConditions
  }

  /** One way through the network, in microseconds. */
  private latency(): number {
    return 200 + this.chance.exponential(800) + (this.chance.yes(0.01) ? this.chance.exponential(50_000) : 0)
  }

  /** What the network conditions makes of a request before the host sees it. */
  private before(): SimulatedResponse | "refused" | "lost" | undefined {
    const { lost = 0, refused = 0, retryAfter, statuses } = this.now
    let draw = this.chance.next()
    const falls = (probability: number): boolean => {
      draw -= probability
      return draw < 0
    }
    if (falls(refused)) return "refused"
    if (falls(lost)) return "lost"
    for (const [status, probability] of Object.entries(statuses ?? {})) {
      if (!falls(probability)) continue
      return {
        status: Number(status),
        ...(retryAfter === undefined ? {} : { headers: { "retry-after": String(retryAfter) } }),
        body: { error_code: "WEATHER", error_message: `status ${status}` }
      }
    }
    return undefined
  }

  private exchange(process: Process, asked: HttpClientRequest.HttpClientRequest, resume: Resume): () => void {
    const { kernel } = this
    const request = toSimulated(asked)
    if (this.onSend(process, request)) return () => {}
    const exchange: Exchange = { process, request, sentAt: kernel.microseconds }
    const key = request.headers["idempotency-key"] ?? request.path
    kernel.note(process.name, "request", key, () => `${request.method} ${request.path} ${key} ${request.text}`)
    for (const look of this.hooks.onSent) look(exchange)
    let ended = false
    const end = (
      status: number,
      body: string,
      effect: Parameters<Resume>[0],
      headers: Readonly<Record<string, string>> = {}
    ) => {
      if (ended) return
      ended = true
      kernel.note(process.name, "answer", key, () => `${status === 0 ? "none" : status} ${body.slice(0, 200)}`)
      for (const look of this.hooks.onEnd) look(exchange, status, body, headers)
      resume(effect)
    }
    const fail = (micros: number, problem: string) =>
      kernel.after(micros, process, () => end(0, "", broken(asked, problem)))
    const answer = (response: SimulatedResponse) => {
      const slower = this.now.slower ?? 0
      const thinking = (response.afterMs ?? 0) + (slower > 0 ? this.chance.exponential(slower) : 0)
      kernel.after(thinking * 1_000 + this.latency(), process, () => {
        const body = bodyText(response)
        const { headers = {}, status } = response
        const whole = new LeanHttpResponse(asked, asked.url, status, headers, encoder.encode(body))
        end(status, body, Effect.succeed(whole), headers)
      })
    }
    const fate = this.before()
    if (fate === "refused") fail(this.latency() * 2, "connect ECONNREFUSED")
    else if (fate !== "lost") {
      kernel.after(this.latency(), undefined, () => {
        if (fate !== undefined) return answer(fate)
        for (const look of this.hooks.onArrival) look(exchange)
        const response = this.host(request, { now: kernel.millis, chance: this.hostChance, client: process.name })
        for (const look of this.hooks.onAnswer) look(exchange, response)
        kernel.note("host", "answered", key, () => `${response.status} ${bodyText(response).slice(0, 200)}`)
        const { garbage: garbled = 0, replyLost = 0 } = this.now
        if (this.chance.yes(replyLost)) {
          if (this.chance.yes(0.5)) fail(this.latency() + (response.afterMs ?? 0) * 1_000, "read ECONNRESET")
        } else if (this.chance.yes(garbled)) answer({ ...response, headers: {}, body: this.chance.pick(garbage) })
        else answer(response)
      })
    }
    return () => {
      if (ended) return
      ended = true
      kernel.note(process.name, "gave up", key)
      for (const look of this.hooks.onEnd) look(exchange, -1, "", {})
    }
  }

  /** The `HttpClient` as one process has it. */
  service(process: Process): HttpClient.HttpClient {
    const execute = (request: HttpClientRequest.HttpClientRequest) =>
      Effect.callback<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>((resume) => {
        const abandon = this.exchange(process, request, resume)
        return Effect.sync(abandon)
      })
    return HttpClient.makeWith<never, never, HttpClientError.HttpClientError, never>(
      (request) => Effect.flatMap(request, execute),
      Effect.succeed
    )
  }
}
