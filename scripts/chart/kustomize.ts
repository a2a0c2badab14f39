import { chartValues, renderChart } from "./render.ts"

/** kustomize makes the ConfigMaps itself: that of the settings gets a name which changes with what is in it. */
const values = { createSettings: false, dashboard: { enabled: false }, console: { enabled: true } }

const note = "# Made by `npm run manifests` from deploy/helm: change it there.\n"

const settingsFile = (): string => {
  const { settings } = chartValues({})
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("")
}

/** The files that kustomize puts together, by their names below deploy/kubernetes. */
export const kustomizeFiles = (): ReadonlyMap<string, string> =>
  new Map([
    ["settings.env", note + settingsFile()],
    ...[...renderChart(values)].map(([name, text]): [string, string] => [
      name,
      `${note}${text.trim().replaceAll(/^ +$/gm, "")}\n`
    ])
  ])
