/**
 * When something is told again: the rule by which the replicas of a group agree who tells it (script `turn`), and by which
 * each goes alone while Redis is away.
 */

/** What was told last of a kind. */
export interface Turn {
  /** Epoch milliseconds. */
  readonly at: number
  /** How often it happened since, and was not told. */
  readonly left: number
  readonly what: string
}

export interface TurnAsked {
  readonly what: string
  /** How often it happened since it was last asked for. */
  readonly count: number
  /** For so long nobody tells again. */
  readonly windowMs: number
  /** For so long the same is not told again. */
  readonly lastsMs: number
  /** It is told for the number alone: the same is news where there are more of it. */
  readonly counted: boolean
}

export type TurnAnswer =
  /** It is to be told now; `count` is how often it happened and was not told, this time included. */
  | { readonly _tag: "Told"; readonly count: number }
  /** Not before so many milliseconds have passed. */
  | { readonly _tag: "Wait"; readonly ms: number }
  /** It was told already. */
  | { readonly _tag: "Same" }

/** The answer, and what is kept from then on. */
export const takeTurn = (
  before: Turn | undefined,
  { count, counted, lastsMs, what, windowMs }: TurnAsked,
  now: number
): { readonly answer: TurnAnswer; readonly turn: Turn } => {
  const { at, left } = before ?? { at: 0, left: 0 }
  const isKnown = before?.what === what && left === 0 && (!counted || count === 0)
  if (before !== undefined && isKnown && now < at + Math.max(windowMs, lastsMs)) {
    return { answer: { _tag: "Same" }, turn: before }
  }
  const ms = at + windowMs - now
  return before !== undefined && ms > 0
    ? { answer: { _tag: "Wait", ms }, turn: { ...before, left: left + count } }
    : { answer: { _tag: "Told", count: left + count }, turn: { at: now, left: 0, what } }
}
