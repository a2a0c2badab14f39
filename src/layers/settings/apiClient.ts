/** How requests to the jobs API go out: through what, with which certificates and which headers of others. */
import { Redacted, Result } from "effect"
import { certificatesOf, isKeyOf, privateKeyOf } from "./certificates.ts"
import { all, check, file, isSet, map, optional, type Parse, type SettingProblem, warn } from "./setting.ts"

/** It may carry a password, so it is not shown. */
const proxyUrl: Parse<Redacted.Redacted<URL>> = (text) => {
  const url = URL.parse(text)
  return url === null || !/^https?:$/.test(url.protocol) || url.pathname !== "/" || /[?#]|%(?![\da-f]{2})/i.test(text)
    ? Result.fail(
        "must be the http:// or https:// URL of a proxy, without a path, any % in its password written as %25"
      )
    : Result.succeed(Redacted.make(url))
}

const proxyVariables = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]

/** `API_PROXY_URL`: what the requests to the API go through. */
export const proxy = map(
  warn(
    all({
      url: optional("API_PROXY_URL", proxyUrl),
      ignored: map(all(Object.fromEntries(proxyVariables.map((variable) => [variable, isSet(variable)]))), (set) =>
        proxyVariables.filter((variable) => set[variable])
      )
    }),
    ({ ignored, url }) =>
      url === undefined && ignored.length > 0
        ? [{ variable: ignored.join(", "), problem: "is not read: API_PROXY_URL names the proxy to the jobs API" }]
        : []
  ),
  ({ url }) => url
)

const hasEffectOnlyWithTls = ["API_TLS_CA_FILE", "API_TLS_CERT_FILE", "API_TLS_KEY_FILE"]

const tlsFiles = all({
  ca: file("API_TLS_CA_FILE", certificatesOf),
  certificate: file("API_TLS_CERT_FILE", certificatesOf),
  key: file("API_TLS_KEY_FILE", privateKeyOf)
})

const isPlain = (url: string | undefined): boolean => url?.toLowerCase().startsWith("http://") === true

/** `API_TLS_*`: a client certificate is both of its files. */
const tls = map(
  warn(
    check(
      all({
        files: tlsFiles,
        url: optional("API_BASE_URL", Result.succeed),
        set: all(Object.fromEntries(hasEffectOnlyWithTls.map((variable) => [variable, isSet(variable)])))
      }),
      ({ files: { certificate, key } }): ReadonlyArray<SettingProblem> => {
        if (certificate === undefined && key === undefined) return []
        if (certificate === undefined || key === undefined) {
          const [missing, given] =
            key === undefined ? ["API_TLS_KEY_FILE", "API_TLS_CERT_FILE"] : ["API_TLS_CERT_FILE", "API_TLS_KEY_FILE"]
          return [{ variable: missing, problem: `must be set, because ${given} is: a client certificate is both` }]
        }
        return isKeyOf(key, certificate)
          ? []
          : [{ variable: "API_TLS_KEY_FILE", problem: "must hold the key of the certificate in API_TLS_CERT_FILE" }]
      }
    ),
    ({ set, url }) =>
      isPlain(url)
        ? hasEffectOnlyWithTls
            .filter((variable) => set[variable])
            .map((variable) => ({ variable, problem: "has no effect, because API_BASE_URL is not https://" }))
        : []
  ),
  ({ files }) => files
)

/** What the collector says itself, and what belongs to a connection: a file must not speak in their place. */
const ours =
  /^(?:authorization|x-service-id|x-key-id|x-delivery-attempt|idempotency-key|content-.*|accept|accept-encoding|if-none-match|traceparent|tracestate|b3|x-b3-.*|signature|signature-input|webhook-.*|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect)$/

const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e]*?)[ \t]*$/

/** One `Name: value` a line. The values may be secrets, so none is shown. */
const headersOf = (
  content: Redacted.Redacted<string>
): Result.Result<Redacted.Redacted<Readonly<Record<string, string>>>, string> => {
  const headers: Record<string, string> = {}
  for (const [index, line] of Redacted.value(content).split(/\r?\n/).entries()) {
    if (line.trim() === "") continue
    const [, given, value = ""] = headerLine.exec(line) ?? []
    const where = `in line ${index + 1}`
    if (given === undefined)
      return Result.fail(`must have one \`Name: value\` a line, in ASCII: ${where} there is none`)
    const name = given.toLowerCase()
    if (ours.test(name)) return Result.fail(`must not set ${given} ${where}: that header is the collector's own`)
    if (Object.hasOwn(headers, name)) return Result.fail(`must not set ${given} ${where} again`)
    headers[name] = value
  }
  return Result.succeed(Redacted.make(headers))
}

/** `API_PROXY_URL`, `API_TLS_*` and `API_HEADERS_FILE`, as options of the client. */
export const apiClient = map(
  all({ proxy, tls, headers: file("API_HEADERS_FILE", headersOf) }),
  ({ headers, proxy, tls: { ca, certificate, key } }) => ({
    proxyUrl: proxy,
    tlsCa: ca,
    tlsClient: certificate === undefined || key === undefined ? undefined : { certificate, key },
    headers
  })
)
