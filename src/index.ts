export { Signer, SignerError } from "./services/Signer.ts"
