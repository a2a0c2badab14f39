/** Small changes of the code that decides deliveries and configurations, each of which some test has to notice. */
import type { Mutant } from "./mutant.ts"

const domain = (name: string) => `test/domain/${name}.test.ts`
const timeTravel = (name: string) => `test/time-travel/${name}.test.ts`
const gatewayConfig = (name: string) => `test/gatewayConfig/${name}.test.ts`

export const mutants: ReadonlyArray<Mutant> = [
  {
    file: "domain/delivery/circuit.ts",
    was: "rowThreshold = 10",
    becomes: "rowThreshold = 11",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "eventThreshold = 50",
    becomes: "eventThreshold = 51",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "lastProbeDelay = 60_000",
    becomes: "lastProbeDelay = 61_000",
    tests: [domain("circuits")]
  },
  { file: "domain/delivery/circuit.ts", was: "404, 429, 502", becomes: "404, 502", tests: [domain("circuit")] },
  {
    file: "domain/delivery/circuit.ts",
    was: 'if (circuit._tag === "Open") return circuit',
    becomes: 'if (circuit._tag === "Open") return { ...circuit, probes: 0 }',
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "return { ...circuit, row: 0 }",
    becomes: "return circuit",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "circuit.row + 1 : 0",
    becomes: "circuit.row + 1 : circuit.row",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "row >= rowThreshold || (",
    becomes: "row >= rowThreshold && (",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "(failures >= eventThreshold && failing.size >= eventThreshold)",
    becomes: "failures >= eventThreshold",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "probes: circuit.probes + 1,",
    becomes: "probes: circuit.probes,",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuit.ts",
    was: "if (mayOpen && isReached)",
    becomes: "if (isReached)",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "evidenceMs = 60_000",
    becomes: "evidenceMs = 600_000",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "this.unconnected >= rowThreshold ||",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "else if (before !== value) this.common[field] = several",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "this.opened -= 1\n        changes",
    becomes: "changes",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "if (field === last) scopes.delete(value)",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "if (isExplained && !isUnconnected)",
    becomes: "if (isExplained)",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "      this.forgetPartitions()\n",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "      this.excuse({ field, value })\n",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "opening.value !== value && success",
    becomes: "success",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "return success >= now - evidenceMs",
    becomes: "return success >= now",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "if (this.api.isConfinedTo(partition)) this.api.reset()",
    becomes: "",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/circuits.ts",
    was: "probes: Math.max(0, open.probes - 1), probeAt: now",
    becomes: "probes: open.probes, probeAt: now",
    tests: [domain("circuit")]
  },
  {
    file: "domain/delivery/decide.ts",
    was: "if (circuitOpen) return",
    becomes: "if (circuitOpen && retryInMs === undefined) return",
    tests: [domain("decide")]
  },
  {
    file: "domain/delivery/decide.ts",
    was: "Math.max(retryInMs, result.retryAfterMs ?? 0)",
    becomes: "retryInMs",
    tests: [domain("decide")]
  },
  {
    file: "domain/delivery/decide.ts",
    was: "attemptsBefore + 1",
    becomes: "attemptsBefore",
    tests: [domain("decide")]
  },
  {
    file: "domain/delivery/retry.ts",
    was: "if (attempts >= mostAttempts) return undefined",
    becomes: "",
    tests: [domain("retries")]
  },
  { file: "domain/delivery/retry.ts", was: "    elapsed += delay\n", becomes: "", tests: [domain("retries")] },
  {
    file: "domain/delivery/retry.ts",
    was: "if (delay > longestMs) return undefined",
    becomes: "",
    tests: [domain("retries")]
  },
  {
    file: "domain/delivery/pauses.ts",
    was: "until > (longest?.until ?? now)",
    becomes: "until > now",
    tests: [domain("retries")]
  },
  {
    file: "domain/delivery/pauses.ts",
    was: "values.findLastIndex(",
    becomes: "values.findIndex(",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/pauses.ts",
    was: "before.until > until ? before",
    becomes: "before.until < until ? before",
    tests: [domain("circuits")]
  },
  {
    file: "domain/delivery/pauses.ts",
    was: "let other = field - 1;",
    becomes: "let other = field;",
    tests: [],
    equivalent: "two pauses are compared only where their values of that field differ: they never share it"
  },
  {
    file: "domain/delivery/history.ts",
    was: "[...history, attempt].slice(-mostKept)",
    becomes: "[...history, attempt].slice(0, mostKept)",
    tests: [domain("retries")]
  },
  { file: "domain/delivery/history.ts", was: "mostKept = 16", becomes: "mostKept = 17", tests: [domain("retries")] },
  {
    file: "domain/delivery/replayed.ts",
    was: "isReplayed(replayed) ? [",
    becomes: "replayed !== undefined ? [",
    tests: [domain("dlq-entry"), domain("abandoned-entry"), timeTravel("attempt-history")]
  },
  { file: "domain/delivery/answer.ts", was: "status < 300", becomes: "status <= 300", tests: [domain("answers")] },
  {
    file: "domain/delivery/answer.ts",
    was: "if (success && creditsDeducted === undefined)",
    becomes: "if (creditsDeducted === undefined)",
    tests: [domain("answers")]
  },
  {
    file: "domain/delivery/answer.ts",
    was: 'typeof credits === "number" && Number.isFinite(credits)',
    becomes: 'typeof credits === "number"',
    tests: [domain("answers")]
  },
  {
    file: "domain/delivery/dlq.ts",
    was: "longestWaitMs = 86_400_000",
    becomes: "longestWaitMs = 864_000_000",
    tests: [timeTravel("dlq-hold")]
  },
  {
    file: "domain/delivery/dlq.ts",
    was: "if (fields.length !== 4)",
    becomes: "if (fields.length < 4)",
    tests: [domain("answers")]
  },
  {
    file: "domain/delivery/dlq.ts",
    was: "text.slice(0, maxErrorMessage).toWellFormed()",
    becomes: "text.slice(0, maxErrorMessage)",
    tests: [domain("answers")]
  },
  {
    file: "domain/delivery/durations.ts",
    was: "Math.exp((at - 0.5) * growth)",
    becomes: "Math.exp((at + 0.5) * growth)",
    tests: [domain("durations")]
  },
  {
    file: "programs/delivery/state/ramp.ts",
    was: "const first = 4",
    becomes: "const first = 8",
    tests: [timeTravel("gentle-return")]
  },
  {
    file: "programs/delivery/state/ramp.ts",
    was: " || this.falls >= mostFalls",
    becomes: "",
    tests: [timeTravel("gentle-return")]
  },
  {
    file: "programs/delivery/state/ramp.ts",
    was: "round !== this.rounds ||",
    becomes: "",
    tests: [timeTravel("gentle-return")]
  },
  {
    file: "programs/delivery/settle.ts",
    was: "firstFailedAt(eventAttempts) ?? failure.failedAt",
    becomes: "failure.failedAt",
    tests: [timeTravel("delivery")]
  },
  {
    file: "programs/delivery/setBack.ts",
    was: "deliveries < 1 || entry.countHandOut",
    becomes: "deliveries < 1",
    tests: [timeTravel("dlq-hold"), timeTravel("partitions"), timeTravel("left-pending")]
  },
  {
    file: "programs/delivery/setBack.ts",
    was: "Math.min(longestMs, Math.max(0, until - now))",
    becomes: "Math.max(0, until - now)",
    tests: [timeTravel("traffic-rules")]
  },
  {
    file: "programs/delivery/deliver.ts",
    was: "(entry.countHandOut ? 1 : 0) > options",
    becomes: "(entry.countHandOut ? 1 : 0) >= options",
    tests: [timeTravel("faults")]
  },
  {
    file: "programs/delivery/deliver.ts",
    was: "if (now < notBefore) return holdAgain",
    becomes: "if (now < 0) return holdAgain",
    tests: [timeTravel("set-clock")]
  },
  {
    file: "programs/delivery/deliver.ts",
    was: "retry.attempt > retryDelays.length",
    becomes: "retry.attempt >= retryDelays.length",
    tests: [timeTravel("delivery")]
  },
  {
    file: "programs/delivery/deliver.ts",
    was: "firstReading: eventAttempts.retry === undefined && eventAttempts.replayed === undefined",
    becomes: "firstReading: eventAttempts.retry === undefined",
    tests: [],
    equivalent:
      "of a replayed entry that is too old the replay is looked for, found, and the event prepared once more: one look-up more, and nothing else"
  },
  {
    file: "programs/delivery/failedAttempts.ts",
    was: "at: failedAt - durationMs",
    becomes: "at: failedAt",
    tests: [timeTravel("attempt-history")]
  },
  {
    file: "programs/delivery/failedAttempts.ts",
    was: "  entry.decided = decided\n",
    becomes: "",
    tests: [timeTravel("refused-moves")]
  },
  {
    file: "programs/delivery/refusedSteps.ts",
    was: "  entry.refusals += 1\n",
    becomes: "",
    tests: [timeTravel("refused-moves")]
  },
  {
    file: "programs/delivery/refusedSteps.ts",
    was: "Math.min(longestDelayMs, firstDelayMs",
    becomes: "Math.max(longestDelayMs, firstDelayMs",
    tests: [timeTravel("refused-moves")]
  },
  {
    file: "programs/delivery/state/leftPending.ts",
    was: "known.from = smallerId(known.from, from)",
    becomes: "known.from = from",
    tests: [timeTravel("left-pending")]
  },
  {
    file: "programs/delivery/pendingRecovery.ts",
    was: "Math.min(last.due, state.gaveWayDue ?? last.due)",
    becomes: "last.due",
    tests: [timeTravel("dlq-hold")]
  },
  {
    file: "programs/gatewayConfig/configPlan.ts",
    was: 'verdict?._tag === "Changed" && !held',
    becomes: 'verdict?._tag === "Changed"',
    tests: [gatewayConfig("commands")]
  },
  {
    file: "programs/gatewayConfig/configPlan.ts",
    was: "drift.length === 0 || held ||",
    becomes: "drift.length === 0 ||",
    tests: [gatewayConfig("commands")]
  },
  {
    file: "programs/gatewayConfig/configPlan.ts",
    was: 'otherwise._tag === "Refuse" ? "refused" : "changed"',
    becomes: '"changed"',
    tests: [gatewayConfig("drift"), gatewayConfig("sync")]
  },
  {
    file: "programs/gatewayConfig/configPlan.ts",
    was: "const unknown = record === undefined &&",
    becomes: "const unknown =",
    tests: [gatewayConfig("sync")]
  },
  {
    file: "programs/gatewayConfig/configReload.ts",
    was: "const GRACE = 30_000",
    becomes: "const GRACE = 3_000",
    tests: [gatewayConfig("gateway")]
  },
  {
    file: "programs/gatewayConfig/configReload.ts",
    was: "settled?.generation !== generation",
    becomes: "settled === undefined",
    tests: [gatewayConfig("sync")]
  },
  {
    file: "programs/gatewayConfig/configReload.ts",
    was: "heard.generation === generation",
    becomes: "heard.generation === -1",
    tests: [gatewayConfig("gateway"), gatewayConfig("faults")]
  },
  {
    file: "programs/gatewayConfig/configReload.ts",
    was: "current !== generation || target",
    becomes: "target",
    tests: [gatewayConfig("gateway"), gatewayConfig("replicas")]
  },
  {
    file: "programs/gatewayConfig/configSync.ts",
    was: 'planned._tag === "Refuse" && planned.error.rule === "older"',
    becomes: 'planned._tag === "Refuse"',
    tests: [gatewayConfig("sync"), gatewayConfig("replicas")]
  },
  {
    file: "programs/gatewayConfig/configSync.ts",
    was: "keptOut.version > version",
    becomes: "keptOut.version >= version",
    tests: [gatewayConfig("commands"), gatewayConfig("gateway")]
  },
  {
    file: "programs/gatewayConfig/configSync.ts",
    was: "fresher.generation === installed.generation",
    becomes: "fresher !== undefined",
    tests: [gatewayConfig("sync"), gatewayConfig("commands"), gatewayConfig("drift")]
  },
  {
    file: "programs/gatewayConfig/configSync.ts",
    was: '    if (outcome === "refused") memory.refusals += 1\n',
    becomes: "",
    tests: [gatewayConfig("sync")]
  }
]
