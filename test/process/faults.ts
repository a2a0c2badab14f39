/**
 * `npm run faults -- --seed 1 --runs 20 --events 5000 [--faults 12] [--parallel 1] [--data-loss never|some|always]`, or one
 * of `--outage`, `--backlog`, `--cluster` for those figures.
 */
import { ensureRedisServer } from "../support/redis-binary.ts"
import { scriptFlags } from "../support/script-flags.ts"
import { describeReport, type FaultRunReport, isGood, runFaults } from "./fault-run.ts"
import { apiOutage, backlog, clusterFailover } from "./scenes.ts"

const help = `npm run faults -- [flags]: real processes under generated faults, and an account of every event.

  --seed <n>          the first seed (1)
  --runs <n>          how many runs (20)
  --events <n>        events in a run (5000)
  --faults <n>        faults in a run (12)
  --parallel <n>      runs at a time (1)
  --data-loss <when>  never, some or always: whether Redis loses its data (some)
  --outage            figures of an outage of the API instead
  --backlog           figures of a backlog instead
  --cluster           figures of a failover in Redis Cluster instead
`

const values = scriptFlags(help, {
  seed: { type: "string", default: "1" },
  runs: { type: "string", default: "20" },
  events: { type: "string", default: "5000" },
  faults: { type: "string", default: "12" },
  parallel: { type: "string", default: "1" },
  "data-loss": { type: "string", default: "some" },
  outage: { type: "boolean", default: false },
  backlog: { type: "boolean", default: false },
  cluster: { type: "boolean", default: false }
})

process.env.REDIS_SERVER_BINARY = ensureRedisServer()

const seeds = Array.from({ length: Number(values.runs) }, (_, i) => Number(values.seed) + i)
const reports: Array<FaultRunReport> = []

/** Every fourth run takes Redis's data away, unless told otherwise. */
const losesData = (seed: number): boolean =>
  values["data-loss"] === "always" || (values["data-loss"] === "some" && seed % 4 === 0)

const work = async (): Promise<void> => {
  for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
    const report = await runFaults({
      seed,
      events: Number(values.events),
      faults: Number(values.faults),
      dataLoss: losesData(seed)
    })
    reports.push(report)
    console.log(describeReport(report))
  }
}

const faultRuns = async (): Promise<void> => {
  await Promise.all(Array.from({ length: Number(values.parallel) }, work))

  const total = (of: (report: FaultRunReport) => number): number => reports.reduce((sum, each) => sum + of(each), 0)
  console.log(
    [
      `${reports.length} runs, ${reports.filter(isGood).length} good`,
      `${total(({ account }) => account.produced)} events produced`,
      `${total(({ account }) => account.delivered)} delivered`,
      `${total(({ account }) => Object.values(account.abandoned).reduce((sum, n) => sum + n, 0))} abandoned with a reason`,
      `${total(({ account }) => account.lostByRedis.length)} lost by Redis`,
      `${total(({ account }) => account.lost.length)} lost`,
      `${total(({ account }) => account.chargedTwice.length)} charged twice`
    ].join(", ")
  )
  process.exitCode = reports.every(isGood) ? 0 : 1
}

if (values.outage) console.log(await apiOutage())
if (values.backlog) console.log(await backlog())
if (values.cluster) console.log(await clusterFailover())
if (!values.outage && !values.backlog && !values.cluster) await faultRuns()
