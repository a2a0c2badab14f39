/**
 * The `Redis` service is Effect's own, which knows no driver, so that a host app can bring the driver it has.
 *
 * Strings: a Redis string that is not UTF-8 is held as text whose bad bytes 0x80–0xFF stand as the lone surrogates
 * U+DC80–U+DCFF, which no UTF-8 decodes to, so nothing is lost on the way through a stream and the decoder can tell.
 */
export { Redis, RedisError } from "effect/persistence/Redis"
export { bytesOfText, hasEscapedBytes, textOfBytes } from "../domain/text/escapedBytes.ts"
