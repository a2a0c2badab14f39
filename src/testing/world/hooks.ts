/** Who looks on at what: a list of functions for each thing that may be watched. */

/** All watchers' functions of each name, in the order in which they came. */
export type Hooks<W> = { readonly [K in keyof W]-?: Array<NonNullable<W[K]>> }
