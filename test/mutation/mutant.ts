/** A small change of the code, and which tests are asked about it. */
export interface Mutant {
  /** Below src. */
  readonly file: string
  /** A piece of the source that stands in the file once. */
  readonly was: string
  readonly becomes: string
  /** The test files that are run until one fails; none where no test can see it. */
  readonly tests: ReadonlyArray<string>
  /** Why nothing can notice it, where it is so. */
  readonly equivalent?: string
}

/** A file's source with the mutant in it. */
export const mutated = (source: string, { becomes, file, was }: Mutant): string => {
  const [before, after, ...more] = source.split(was)
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${file} has ${source.split(was).length - 1} times, and not once: ${was}`)
  }
  return before + becomes + after
}
