/**
 * Deliberate mistakes, to prove that the checkers see: each is made outside of the app, in what it is given (a driver that
 * does something else than it was asked) or in its settings. None is in the product's code.
 */
import { answerBugs } from "./bugs/answers.ts"
import { attemptBugs } from "./bugs/attempts.ts"
import { configurationBugs } from "./bugs/configuration.ts"
import { eventBugs } from "./bugs/events.ts"
import { moveBugs } from "./bugs/moves.ts"
import { operatorBugs } from "./bugs/operators.ts"
import { ownershipBugs } from "./bugs/ownership.ts"
import { partitionBugs } from "./bugs/partitions.ts"
import { replayBugs } from "./bugs/replays.ts"
import { requestBugs } from "./bugs/requests.ts"
import { sharedBugs } from "./bugs/shared.ts"
import { rulesForgotten } from "./ruleBugs.ts"
import type { Bug } from "./simulate.ts"

/** Deliberate mistakes, each of which some seed of {@link simulate} must find: they show that the checkers can fail. */
export const bugs: ReadonlyArray<Bug> = [
  ...ownershipBugs,
  ...moveBugs,
  ...eventBugs,
  ...attemptBugs,
  ...replayBugs,
  ...operatorBugs,
  ...requestBugs,
  ...answerBugs,
  ...partitionBugs,
  ...configurationBugs,
  ...sharedBugs,
  rulesForgotten
]
