/** The operator's console and the admin API (contract section 10), as one handler of requests. */
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { makeRedriveJobs } from "../programs/operator/redriveJobs.ts"
import * as Api from "./api/handlers.ts"
import { guard } from "./guard.ts"
import * as Assets from "./pages/assets.ts"
import * as AuditPage from "./pages/audit.ts"
import * as ConfigurationPage from "./pages/configuration.ts"
import * as EventPage from "./pages/event.ts"
import * as FailuresPage from "./pages/failures.ts"
import * as Incident from "./pages/incident.ts"
import * as JobsPage from "./pages/jobs.ts"
import * as OverviewPage from "./pages/overview.ts"
import * as SignIn from "./pages/signIn.ts"
import * as TrafficPage from "./pages/traffic.ts"
import { RecentGlances } from "./recentGlances.ts"
import { Served, type Serving } from "./served.ts"

const routes = Layer.mergeAll(
  Api.routes,
  Assets.routes,
  SignIn.routes,
  OverviewPage.routes,
  FailuresPage.routes,
  Incident.routes,
  EventPage.routes,
  TrafficPage.routes,
  JobsPage.routes,
  ConfigurationPage.routes,
  AuditPage.routes
)

/** Answers every request; each passes the guard first, also one that nothing answers. */
export const handler = Effect.fnUntraced(function* (serving: Serving) {
  const jobs = yield* makeRedriveJobs(serving.streams, serving.sets, serving.group)
  const app = yield* HttpRouter.toHttpEffect(Layer.provide(routes, HttpServer.layerServices))
  return Effect.provideService(guard(serving.guarded, app), Served, { ...serving, jobs, glances: new RecentGlances() })
})

/** Serves on the `HttpServer` that it is given. */
export const layer = (serving: Serving): Layer.Layer<never, never, HttpServer.HttpServer> =>
  Layer.unwrap(Effect.map(handler(serving), (app) => HttpServer.serve(app)))
