/** The secrets of `run` that are files are followed: it goes on with what is put into them. */
import { Effect, Layer, type Redacted } from "effect"
import * as IoRedis from "../layers/redis/ioredis/IoRedis.ts"
import * as Environment from "../layers/settings/Environment.ts"
import { followSecret } from "../layers/settings/FollowSecret.ts"
import * as NativeSigner from "../layers/signing/NativeSigner.ts"
import { keyId, Signer } from "../services/Signer.ts"

/** SIGHUP asks for a look at once. */
export const hurry = Effect.callback<void>((resume) => {
  const look = () => resume(Effect.void)
  process.once("SIGHUP", look)
  return Effect.sync(() => process.off("SIGHUP", look))
})

/** Redis, logging in with what `REDIS_PASSWORD_FILE` holds by then. Connections that there are stay. */
export const redisFollowing = (
  options: IoRedis.IoRedisOptions & { readonly password?: Redacted.Redacted<string> | undefined }
) =>
  Layer.unwrap(
    Effect.gen(function* () {
      if (options.password === undefined) return IoRedis.layer(options)
      let password = options.password
      yield* followSecret({
        variable: "REDIS_PASSWORD_FILE",
        file: Environment.redisPassword,
        present: password,
        use: (value) =>
          Effect.sync(() => {
            password = value
            return {}
          }),
        hurry
      }).pipe(Effect.forkScoped)
      return IoRedis.layer({ ...options, password: () => password })
    })
  )

/** The signer with the key that `ED25519_PRIVATE_KEY_FILE` holds by then. */
export const signerFollowing = (
  privateKey: Redacted.Redacted<string>,
  options: { readonly publicKey: string | undefined }
) =>
  Layer.effect(
    Signer,
    Effect.gen(function* () {
      let present = yield* NativeSigner.make(privateKey, options)
      yield* followSecret({
        variable: "ED25519_PRIVATE_KEY_FILE",
        file: Environment.privateKeyFile,
        present: privateKey,
        use: (value) =>
          NativeSigner.make(value, options).pipe(
            Effect.map((signer) => {
              present = signer
              return { key_id: keyId(signer) }
            }),
            Effect.mapError(({ problem }) => problem)
          ),
        hurry
      }).pipe(Effect.forkScoped)
      return Signer.of({
        get publicKey() {
          return present.publicKey
        },
        get sign() {
          return present.sign
        },
        get verify() {
          return present.verify
        },
        sha256: present.sha256,
        hasher: present.hasher
      })
    })
  )
