/** Links as the repository has them, from file to file, become links between pages, or to the file's source. */
import { dirname, posix, relative, sep } from "node:path"
import type { MarkdownEnv, MarkdownRenderer } from "vitepress"
import { addressOf } from "../pages.ts"
import { exists, repositoryUrl, root } from "./repository.ts"

const isOutside = (target: string) => /^(?:[a-z][a-z+.-]*:|\/\/|#|\/)/i.test(target)

/** Where a link leads: a page, a source, or nowhere that a reader could go. */
const resolved = (from: string, target: string): string | undefined => {
  const [path = "", anchor] = target.split("#")
  const file = posix.normalize(posix.join(posix.dirname(from), decodeURI(path))).replace(/\/$/, "")
  if (file.startsWith("..") || !exists(file)) throw new Error(`${from}: dead link ${target}`)
  const page = addressOf(file) ?? (exists(`${file}/README.md`) ? addressOf(`${file}/README.md`) : undefined)
  if (page !== undefined) return `/${page}${anchor === undefined ? "" : `#${anchor}`}`
  return repositoryUrl === undefined ? undefined : `${repositoryUrl}/blob/main/${file}`
}

export const repositoryLinks = (markdown: MarkdownRenderer): void => {
  markdown.core.ruler.push("repository-links", ({ env, tokens }) => {
    const { path, realPath = path }: Partial<MarkdownEnv> & { readonly realPath?: string } = env
    // A heading is read once more for the page's title, without its page.
    if (realPath === undefined) return
    const from = relative(root, realPath).split(sep).join("/")
    if (dirname(from) === "site/recipes") return
    for (const { children } of tokens) {
      // A link ends before the next begins.
      let isSource = false
      for (const token of children ?? []) {
        if (token.type === "link_close" && isSource) {
          Object.assign(token, { type: "source_close", tag: "span" })
          isSource = false
        }
        const target = token.type === "link_open" ? token.attrGet("href") : null
        if (target === null || isOutside(target)) continue
        const leads = resolved(from, target)
        if (leads !== undefined) token.attrSet("href", leads)
        else {
          Object.assign(token, { type: "source_open", tag: "span", attrs: [["class", "source"]] })
          isSource = true
        }
      }
    }
  })
}
