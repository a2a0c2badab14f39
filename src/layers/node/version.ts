/** This package's version; written by `npm run build`. */
export const version: string = "0.1.0"
