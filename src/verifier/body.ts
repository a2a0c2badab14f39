import { type Refusal, refuse } from "./verdict.ts"

const unreadable = (problem: string) => refuse("UnreadableBody", problem)

/** Reads the body of a `Request` to its end, but no more than so many bytes. */
export const readBody = async (request: Request, maxBytes: number): Promise<Uint8Array | Refusal> => {
  if (request.bodyUsed) return unreadable("the request's body was read before; verify first")
  const chunks: Array<Uint8Array> = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.length
      if (size > maxBytes) return unreadable(`the body is larger than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch {
    return unreadable("the body could not be read to its end")
  }
  const [only] = chunks
  if (chunks.length === 1 && only !== undefined) return only
  const body = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.length
  }
  return body
}

/** A body that is given: anything but bytes was parsed already. */
export const givenBody = (body: unknown): Uint8Array | Refusal =>
  body instanceof Uint8Array ? body : unreadable("the body must be given as the bytes that came, before any parsing")
