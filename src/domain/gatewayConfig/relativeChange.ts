/** How much a number changed, as a person takes it in at a glance: a price that is a hundred times what it was must not be overlooked. */

export interface RelativeChange {
  /** `× 100`, `× 0.01`, `+25 %`, `-4 %`. */
  readonly text: string
  /** Ten times as much, or a tenth: rather a slip than a decision. */
  readonly isAlarming: boolean
}

const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && number.test(text) ? Number(text) : undefined

const inShort = (value: number): string => String(Number(value.toPrecision(3)))

/** Undefined where no number became another of the same sign. */
export const relativeChange = ({
  after,
  before
}: Partial<Record<"after" | "before", string | undefined>>): RelativeChange | undefined => {
  const was = numberIn(before)
  const is = numberIn(after)
  if (was === undefined || is === undefined || was === 0 || was === is || is / was <= 0) return undefined
  const ratio = is / was
  const isAlarming = ratio >= 10 || ratio <= 0.1
  if (ratio >= 2 || ratio <= 0.5) return { text: `× ${inShort(ratio)}`, isAlarming }
  const percent = (ratio - 1) * 100
  return { text: `${percent > 0 ? "+" : ""}${inShort(percent)} %`, isAlarming }
}
