/** What became of each mutant, as a table of the documentation. */
import type { Trial } from "./workshop.ts"

const begin = "<!-- npm run mutate writes from here -->"

const code = (text: string): string => {
  const line = text.trim().replace(/\s+/g, " ").replaceAll("|", "\\|")
  return line === "" ? "(removed)" : `\`${line}\``
}

const verdictOf = ({ killedBy, mutant }: Trial): string =>
  killedBy !== undefined
    ? killedBy
        .replace(/^test\//, "")
        .replace(".test.ts", "")
        .replaceAll("|", "\\|")
    : mutant.equivalent === undefined
      ? "**survived**"
      : `equivalent: ${mutant.equivalent}`

/** A page with its table written anew. */
export const pageOf = (page: string, trials: ReadonlyArray<Trial>): string => {
  const [head = ""] = page.split(begin)
  const rows = trials.map((trial) => {
    const { becomes, file, was } = trial.mutant
    return `| ${file.replace(/\.ts$/, "")} | ${code(was)} | ${code(becomes)} | ${verdictOf(trial)} |`
  })
  const equivalent = trials.filter(({ mutant }) => mutant.equivalent !== undefined).length
  const survived = trials.filter(({ killedBy, mutant }) => killedBy === undefined && mutant.equivalent === undefined)
  const killed = trials.length - equivalent - survived.length
  const summary = `${trials.length} changes: ${killed} noticed, ${equivalent} equivalent, ${survived.length} survived.`
  const table = ["| file | was | becomes | noticed by |", "| --- | --- | --- | --- |", ...rows]
  return `${head}${begin}\n\n${summary}\n\n${table.join("\n")}\n`
}
