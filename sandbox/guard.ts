import { type ChildProcess, spawn } from "node:child_process"

/**
 * Reads `start <pid>`, `end <pid>` and `remove <folder>` until its input ends, that is until its parent is gone, however
 * it went. Then it kills what was started and has not ended, and removes the folders.
 */
const script = `
trap "" INT HUP TERM
pids=" "
folders=""
while read -r word value; do
  case $word in
    start) pids="$pids$value " ;;
    end) pids=$(printf %s "$pids" | sed "s/ $value / /") ;;
    remove) folders="$folders
$value" ;;
  esac
done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
printf '%s\\n' "$folders" | while read -r folder; do
  if [ -n "$folder" ]; then rm -rf "$folder"; fi
done
`

let shell: ChildProcess | undefined

const tell = (line: string): void => {
  if (shell === undefined) {
    // A session of its own: a Ctrl-C at the terminal is not for it.
    shell = spawn("sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true })
    shell.unref()
    // It keeps neither this process alive nor, if it is killed, anything from working.
    shell.on("error", () => undefined)
    const input = shell.stdin
    input?.on("error", () => undefined)
    if (input !== null && "unref" in input && typeof input.unref === "function") input.unref()
  }
  shell.stdin?.write(`${line}\n`)
}

/** Sees to it that nothing outlives this process, even if it is killed with SIGKILL. */
export const guard = {
  started: (pid: number): void => tell(`start ${pid}`),
  ended: (pid: number): void => tell(`end ${pid}`),
  /** A folder to remove. */
  removes: (folder: string): void => tell(`remove ${folder}`)
}
