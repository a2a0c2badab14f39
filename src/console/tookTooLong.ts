import { Schema } from "effect"

/** It would have gone on for too long. */
export class TookTooLong extends Schema.TaggedError<TookTooLong>()("TookTooLong", { problem: Schema.String }) {
  override get message(): string {
    return this.problem
  }
}
