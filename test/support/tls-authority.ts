import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A private certificate authority and a server certificate of it for localhost and 127.0.0.1, made by openssl. */
export class TlsAuthority {
  private readonly directory = mkdtempSync(join(tmpdir(), "job-collector-tls-"))

  constructor() {
    const openssl = (...args: ReadonlyArray<string>) =>
      execFileSync("openssl", args, { cwd: this.directory, stdio: ["ignore", "ignore", "pipe"] })
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=private authority")
    openssl(
      ...["req", "-x509", ...key, "-keyout", "server.key", "-out", "server.crt", "-subj", "/CN=localhost"],
      ...["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
      ...["-addext", "basicConstraints=critical,CA:FALSE"]
    )
  }

  private path(name: string): string {
    return join(this.directory, name)
  }

  /** PEM of the authority. */
  get ca(): string {
    return readFileSync(this.path("ca.crt"), "utf8")
  }

  get keyFile(): string {
    return this.path("server.key")
  }

  get certificateFile(): string {
    return this.path("server.crt")
  }

  get caFile(): string {
    return this.path("ca.crt")
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}
