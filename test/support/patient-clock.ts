import { TestClock } from "effect/testing"

/**
 * A `TestClock` that waits for what it wakes however long that takes. The usual one gives up after a second of real time
 * and moves on, so that on a busy machine a long travel would not be the same twice.
 */
export const patientClock = TestClock.layer({ warningDelay: "1 hour" })
