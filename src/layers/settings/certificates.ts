import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto"
import { Redacted, Result } from "effect"

/** Files of TLS, in PEM. No message shows their content. */

// TLS itself passes over what it cannot read, and then trusts nobody.
const certificateIn = (pem: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

/** One certificate or several. */
export const certificatesOf = (content: Redacted.Redacted<string>): Result.Result<string, string> => {
  const pem = Redacted.value(content)
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g)
  if (certificates === null) return Result.fail("must contain certificates in PEM format")
  const broken = certificates.findIndex((text) => certificateIn(text) === undefined)
  return broken < 0
    ? Result.succeed(pem)
    : Result.fail(
        `must contain certificates in PEM format: number ${broken + 1} of ${certificates.length} cannot be read`
      )
}

const keyIn = (pem: string): KeyObject | undefined => {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

/** A private key that needs no passphrase. */
export const privateKeyOf = (content: Redacted.Redacted<string>): Result.Result<Redacted.Redacted<string>, string> =>
  keyIn(Redacted.value(content)) === undefined
    ? Result.fail("must contain a private key in PEM format, without a passphrase")
    : Result.succeed(content)

/** Whether a private key is that of a certificate, the first in its file. */
export const isKeyOf = (key: Redacted.Redacted<string>, certificate: string): boolean => {
  const known = keyIn(Redacted.value(key))
  return known !== undefined && certificateIn(certificate)?.checkPrivateKey(known) === true
}
