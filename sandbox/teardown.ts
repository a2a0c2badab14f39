import { Cause, Exit } from "effect"

/** For `runMain`: a process that ends because it was asked to (SIGTERM, SIGINT) ends with 0. */
export const exitZeroWhenAsked = <E, A>(exit: Exit.Exit<A, E>, onExit: (code: number) => void): void =>
  onExit(Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? 0 : 1)
