import type { EventKind, SyncKind } from "../../../domain/events/eventKind.ts"
import { process, transcribe } from "../../../domain/events/jobEvent.ts"
import type { CollectorOptions, StreamSet } from "../../../domain/options/options.ts"

/** One stream that is read, and where its events go when they fail. */
export interface ConsumedStream {
  /** The metric label: `transcribe`, `process`, `dlq` or a host app's own kind. */
  readonly label: string
  readonly key: string
  readonly dlq: string
  readonly abandoned: string
  /** The kind of a source stream's events; undefined for a DLQ, whose entries name their origin. */
  readonly kind: EventKind | undefined
  /** Beside which stream the group keeps what is not of one stream, such as its rules, where that is not this one. */
  readonly beside?: string
}

const builtIn = [transcribe, process]

const consumedStreamsOfSet = (set: StreamSet, kinds: ReadonlyArray<SyncKind>): ReadonlyArray<ConsumedStream> => {
  const { abandoned, dlq } = set
  return [
    ...kinds.map((kind) => ({
      label: kind.name,
      key: set[kind.name as "transcribe" | "process"],
      dlq,
      abandoned,
      kind
    })),
    { label: "dlq", key: dlq, dlq, abandoned, kind: undefined, beside: set.transcribe }
  ]
}

/**
 * Every stream to read: of each set its DLQ and the built-in kinds' streams, unless they are left out, and one for each kind of
 * the host app's own (through the first set's DLQ).
 */
export const consumedStreamsOf = ({
  builtInKinds,
  kinds,
  streams
}: Pick<CollectorOptions, "builtInKinds" | "kinds" | "streams">): ReadonlyArray<ConsumedStream> => {
  const [first] = streams
  const own =
    first === undefined
      ? []
      : kinds.map((kind) => ({
          label: kind.name,
          key: kind.stream ?? kind.name,
          dlq: first.dlq,
          abandoned: first.abandoned,
          kind
        }))
  return [...streams.flatMap((set) => consumedStreamsOfSet(set, builtInKinds ? builtIn : [])), ...own]
}

export const isDlq = (stream: ConsumedStream): boolean => stream.kind === undefined
