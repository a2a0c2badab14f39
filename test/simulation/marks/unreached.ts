/** The marks that no simulated world gets to, and why. */

const unreached: ReadonlyArray<{ readonly why: string; readonly marks: ReadonlyArray<string> }> = []

const reasons = new Map(unreached.flatMap(({ marks, why }) => marks.map((mark) => [mark, why])))

/** Why no world gets to a mark; undefined where every mark of that name is to be reached. */
export const reasonFor = (name: string): string | undefined => reasons.get(name)
