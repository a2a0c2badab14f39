import { spawn } from "node:child_process"

/** Runs a command on a pseudo-terminal of so many columns, gives it the input when it has printed what it is to answer, and prints all. */
const program = `
import fcntl, os, pty, struct, sys, termios
columns, awaited, answer = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[4], sys.argv[4:])
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
shown = b""
while True:
    try:
        piece = os.read(terminal, 65536)
    except OSError:
        break
    if not piece:
        break
    shown += piece
    if awaited and awaited in shown:
        os.write(terminal, answer)
        awaited = b""
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

export interface OnTerminal {
  readonly python: string
  readonly columns: number
  readonly env: NodeJS.ProcessEnv
  /** What to wait for, and what to type then. */
  readonly answer?: readonly [awaited: string, typed: string]
}

/** Runs the command line on a pseudo-terminal: its lines and its exit status. */
export const onTerminal = ({ answer = ["", ""], columns, env, python }: OnTerminal, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: number | null; readonly lines: ReadonlyArray<string> }>((resolve, reject) => {
    const command = [process.execPath, "src/bin.ts", ...args]
    const child = spawn(python, ["-c", program, String(columns), ...answer, ...command], {
      env,
      stdio: ["ignore", "pipe", "inherit"]
    })
    let shown = ""
    child.stdout.setEncoding("utf8").on("data", (text) => {
      shown += text
    })
    child.once("error", reject)
    child.once("close", (code) => resolve({ code, lines: shown.trimEnd().split("\r\n") }))
  })
