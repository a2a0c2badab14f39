import { native } from "../../src/layers/ed25519/native.ts"
import * as NativeSigner from "../../src/layers/NativeSigner.ts"
import { signerContract } from "../contracts/signer-contract.ts"

signerContract("native", native, NativeSigner.layer)
