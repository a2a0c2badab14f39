/** A proxy before a good API that makes it wrong in one thing. */
import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto"
import { once } from "node:events"
import { Agent, createServer, type IncomingHttpHeaders, request as requestHttp } from "node:http"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"

export interface Incoming {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What an API that is wrong knows of signatures. */
export interface Signing {
  /** Whether its header is of the right form, its signature and its time aside. */
  readonly isWellFormed: (incoming: Incoming) => boolean
  /** Whether the signature is right, whatever its time. */
  readonly isSigned: (incoming: Incoming) => boolean
  /** Seconds that its time is ahead. */
  readonly drift: (incoming: Incoming) => number
  /** Signed anew, now, so that the good API takes it. */
  readonly resigned: (incoming: Incoming) => Incoming
}

/** One way to be wrong. */
export interface Wrong {
  /** What it does with a request: hands it on, perhaps changed, or answers by itself. */
  readonly request?: (incoming: Incoming, signing: Signing) => Incoming | Answer
  /** What it makes of the good API's answer. */
  readonly answer?: (answer: Answer, incoming: Incoming) => Answer
  /** Cuts off a request whose body is not there after so many ms. */
  readonly patienceMs?: number
}

const header = /^Ed25519 ([1-9]\d*):([A-Za-z0-9+/]{86}==)$/

const signingOf = (privateKey: string): Signing => {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.from(privateKey, "hex")])
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  const publicKey = createPublicKey(key)
  const message = (timestamp: string, { body, headers }: Incoming) =>
    Buffer.from(`v1\n${timestamp}\n${createHash("sha256").update(body).digest("hex")}\n${headers["x-service-id"]}`)
  const parts = ({ headers }: Incoming) => header.exec(headers.authorization ?? "") ?? []
  return {
    isWellFormed: (incoming) => parts(incoming).length > 0 && incoming.headers["x-service-id"] !== undefined,
    isSigned: (incoming) => {
      const [, timestamp = "", signature = ""] = parts(incoming)
      return verify(null, message(timestamp, incoming), publicKey, Buffer.from(signature, "base64"))
    },
    drift: (incoming) => Number(parts(incoming)[1]) - Date.now() / 1_000,
    resigned: (incoming) => {
      const timestamp = `${Math.floor(Date.now() / 1_000)}`
      const signature = sign(null, message(timestamp, incoming), key).toString("base64")
      return { ...incoming, headers: { ...incoming.headers, authorization: `Ed25519 ${timestamp}:${signature}` } }
    }
  }
}

const flat = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

const json = (status: number, body: unknown): Answer => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body)
})

export const error = (status: number): Answer => json(status, { error_code: "ERROR", error_message: "an error" })

const isAnswer = (given: Incoming | Answer): given is Answer => "status" in given

/** The headers that belong to a connection or to bytes which may have changed. */
const hop = ["connection", "keep-alive", "content-length", "transfer-encoding", "host"]

const without = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !hop.includes(name)))

/** Stands before the good API on a port of its own. */
export const startWrongApi = async (good: string, privateKey: string, wrong: Wrong) => {
  const signing = signingOf(privateKey)
  const agent = new Agent({ keepAlive: true })

  const forward = ({ body, headers, method, path }: Incoming): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const length = method === "POST" ? { "content-length": `${bytes.length}` } : {}
      const onward = requestHttp(`${good}${path}`, { agent, method, headers: { ...without(headers), ...length } })
      onward.on("error", reject)
      onward.on("response", async (response) => {
        resolve({
          status: response.statusCode ?? 0,
          headers: without(flat(response.headers)),
          body: await text(response)
        })
      })
      onward.end(bytes)
    })

  const server = createServer(async (request, response) => {
    const impatience =
      wrong.patienceMs === undefined ? undefined : setTimeout(() => request.socket.destroy(), wrong.patienceMs)
    try {
      const body = await text(request)
      clearTimeout(impatience)
      const incoming = {
        method: request.method ?? "",
        path: request.url ?? "",
        headers: flat(request.headers),
        body
      }
      const given = wrong.request?.(incoming, signing) ?? incoming
      const answer = isAnswer(given) ? given : await forward(given)
      const { body: answered, headers, status } = wrong.answer?.(answer, incoming) ?? answer
      response.writeHead(status, { ...headers })
      response.end(status === 304 ? undefined : answered)
    } catch {
      request.socket.destroy()
    }
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: async () => {
      agent.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}
