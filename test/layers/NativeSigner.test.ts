import * as NativeSigner from "../../src/layers/signing/NativeSigner.ts"
import { native } from "../../src/layers/signing/native.ts"
import { signerContract } from "../contracts/signer-contract.ts"

signerContract("native", native, NativeSigner.layer)
