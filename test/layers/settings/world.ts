import { ByteSize, ConfigProvider, Effect, FileSystem, Layer, Option, PlatformError } from "effect"
import * as Environment from "../../../src/layers/settings/Environment.ts"
import { rfc8032 } from "../../support/vectors.ts"

export const seed = rfc8032[0]!.secretKey
export const publicKey = rfc8032[0]!.publicKey

export type Variables = Record<string, string>

/** A certificate that signs itself. */
const authority = `-----BEGIN CERTIFICATE-----
MIIBfDCCASGgAwIBAgIUPtbnG4VD3Tn6FIsMhV4BwxAG9oQwCgYIKoZIzj0EAwIw
EjEQMA4GA1UEAwwHdGVzdC1jYTAgFw0yNjExMjcyMDA4MzNaGA8yMTI2MTEwMzIw
MDgzM1owEjEQMA4GA1UEAwwHdGVzdC1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEH
A0IABFAOoalGRxuQuGoZL6dk7nFASQZ83d4Xu/XUMKLzJtUntyRBsU+JMq3IH3d8
99Y592GfShwqkl2MTqR3yNkIDQ+jUzBRMB0GA1UdDgQWBBQic50VWu7qaglH1eYM
eoDn32eJrzAfBgNVHSMEGDAWgBQic50VWu7qaglH1eYMeoDn32eJrzAPBgNVHRMB
Af8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDrwbhYQeXCLhA7KM5nn13FsMyl
1eM2WF47cTSlDxVK9AIhAM8T8SrCZAkFoNf2LDLQC7WX8fL8y+vn7mp0cvmCha3D
-----END CERTIFICATE-----
`

export const files: Variables = {
  "/run/key": `${seed}\n`,
  "/run/nonsense": "not a key!",
  "/run/password": "hunter2\n",
  "/run/empty": "\n",
  "/run/ca": authority,
  "/run/broken-ca": `${authority}-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n`
}

const content = (path: string, method: string) => {
  const found = files[path]
  return found === undefined
    ? Effect.fail(
        new PlatformError.PlatformError(
          new PlatformError.SystemError({ _tag: "NotFound", module: "FileSystem", method, pathOrDescriptor: path })
        )
      )
    : Effect.succeed(found)
}

/** What is no file to read a secret from. */
const others: Readonly<Record<string, FileSystem.File.Type>> = {
  "/": "Directory",
  "/dev/zero": "CharacterDevice",
  "/run/pipe": "FIFO"
}

const infoOf = (type: FileSystem.File.Type, size: number): FileSystem.File.Info => ({
  type,
  size: ByteSize.bytes(size),
  mode: 0o600,
  mtime: Option.none(),
  atime: Option.none(),
  birthtime: Option.none(),
  dev: 0n,
  ino: Option.none(),
  nlink: Option.none(),
  uid: Option.none(),
  gid: Option.none(),
  rdev: Option.none(),
  blksize: Option.none(),
  blocks: Option.none()
})

export const fileSystem = FileSystem.layerNoop({
  readFileString: (path) => content(path, "readFileString"),
  stat: (path) => {
    const other = others[path]
    return other === undefined
      ? Effect.map(content(path, "stat"), ({ length }) => infoOf("File", length))
      : Effect.succeed(infoOf(other, 0))
  }
})

const world = (variables: Variables) =>
  Layer.mergeAll(fileSystem, ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables)))

export const load = <A>(setting: Environment.Setting<A, FileSystem.FileSystem>, variables: Variables) =>
  Effect.provide(Environment.load(setting), world(variables))

export const settingsOf = <A>(setting: Environment.Setting<A, FileSystem.FileSystem>, variables: Variables) =>
  Effect.map(load(setting, variables), ({ settings }) => settings)

/** The lines of the error, or what was read instead of one. */
export const linesOf = (setting: Environment.Setting<unknown, FileSystem.FileSystem>, variables: Variables) =>
  Effect.match(load(setting, variables), {
    onFailure: (error) => error.message.split("\n"),
    onSuccess: ({ settings }) => [`no problem: ${JSON.stringify(settings)}`]
  })

export const collector = Environment.collector("host-1")
export const everything = Environment.all({
  redis: Environment.redis,
  collector,
  signing: Environment.signing,
  configSync: Environment.configSync,
  gateway: Environment.gateway,
  http: Environment.http,
  logging: Environment.logging,
  telemetry: Environment.telemetry
})
export const minimal = { API_BASE_URL: "https://api.example", ED25519_PRIVATE_KEY: seed }
