/** A page for each example: what the table of examples says of it, and its code. */
import { examples, read } from "../.vitepress/repository.ts"
import { recipeName } from "../pages.ts"

/** The table's second column, as a sentence. */
const meaningOf = (name: string): string => {
  const row = read("examples/README.md")
    .split("\n")
    .find((line) => line.startsWith("|") && line.includes(`](${name})`))
  const text =
    row
      ?.split("|")[2]
      ?.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .trim() ?? ""
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}

export default {
  paths: () =>
    examples.map((file) => {
      const name = file.slice("examples/".length)
      const language = name.endsWith(".py") ? "python" : "ts"
      return {
        params: { example: recipeName(file) },
        content: `# \`${name}\`\n\n${meaningOf(name)}\n\n\`\`\`${language}\n${read(file)}\`\`\`\n`
      }
    })
}
