import type { EventKind } from "../../../domain/events/eventKind.ts"
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
}

const consumedStreamsOfSet = ({ abandoned, dlq, process: processKey, transcribe: transcribeKey }: StreamSet) => [
  { label: transcribe.name, key: transcribeKey, dlq, abandoned, kind: transcribe },
  { label: process.name, key: processKey, dlq, abandoned, kind: process },
  { label: "dlq", key: dlq, dlq, abandoned, kind: undefined }
]

/** Every stream to read: three for each set, and one for each kind of the host app's own (through the first set's DLQ). */
export const consumedStreamsOf = ({
  kinds,
  streams
}: Pick<CollectorOptions, "kinds" | "streams">): ReadonlyArray<ConsumedStream> => {
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
  return [...streams.flatMap(consumedStreamsOfSet), ...own]
}

export const isDlq = (stream: ConsumedStream): boolean => stream.kind === undefined
