/** Bytes as lowercase hex digits. */
export const hexOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16)
  return text
}

/** Bytes as standard base64 with padding. */
export const base64Of = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes))

/** Reads standard base64 with padding, in its one canonical spelling; undefined where the text is anything else. */
export const fromBase64 = (text: string): Uint8Array | undefined => {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined
  const binary = atob(text)
  if (btoa(binary) !== text) return undefined
  // A loop: `Uint8Array.from` over a text takes several times as long.
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

const encoder = new TextEncoder()

/** A text in UTF-8. */
export const utf8Of = (text: string): Uint8Array => encoder.encode(text)
