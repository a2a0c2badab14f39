/** The streams that operators look at: those of the sets, and those of a host app's own kinds. */
import type { HostKinds } from "../events/hostKinds.ts"
import type { CollectorOptions, StreamSet } from "./options.ts"

/** A stream set with the streams of a host app's own kinds, whose failed events go the same way. */
export interface KnownStreams extends StreamSet {
  /** Whether the two built-in kinds are read; default true. */
  readonly builtIn?: boolean | undefined
  /** The name and stream of each kind of the app's own. */
  readonly own?: ReadonlyArray<readonly [name: string, stream: string]> | undefined
}

/** The source streams of a set, each under its kind's name. */
export const sourcesOf = ({
  builtIn = true,
  own = [],
  process,
  transcribe
}: KnownStreams): ReadonlyArray<readonly [name: string, stream: string]> => [
  ...(builtIn ? [["transcribe", transcribe] as const, ["process", process] as const] : []),
  ...own
]

/** The sets with the app's own streams, which belong to the first. */
export const knownStreams = ({
  builtInKinds,
  kinds,
  streams
}: HostKinds & Pick<CollectorOptions, "streams">): ReadonlyArray<KnownStreams> =>
  streams.map((set, at) => ({
    ...set,
    builtIn: builtInKinds,
    own: at === 0 ? kinds.map(({ name, stream = name }) => [name, stream] as const) : []
  }))
