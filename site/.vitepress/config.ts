import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { type DefaultTheme, defineConfig, type MarkdownRenderer, type Plugin } from "vitepress"
import { addressOf, recipeName, sections } from "../pages.ts"
import { repositoryLinks } from "./links.ts"
import { decisions, examples, repositoryUrl, titleOf } from "./repository.ts"

/** The same as GitHub's: the repository's links to headings lead there too. */
const slugify = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

/** Diagrams are drawn by the reader's browser, from the code that stands in their place until then. */
const diagrams = (markdown: MarkdownRenderer): void => {
  const { fence } = markdown.renderer.rules
  markdown.renderer.rules.fence = (tokens, index, ...rest) => {
    const token = tokens[index]
    if (token?.info.trim() !== "mermaid") return fence?.(tokens, index, ...rest) ?? ""
    return `<Diagram code="${encodeURIComponent(token.content)}" />`
  }
}

/** Braces are text here, and nothing for Vue to fill in. */
const plainText = ({ renderer: { rules }, utils: { escapeHtml } }: MarkdownRenderer): void => {
  const escaped = (content: string) => escapeHtml(content).replaceAll("{{", "&#123;&#123;")
  rules.text = (tokens, index) => escaped(tokens[index]?.content ?? "")
  rules.code_block = (tokens, index) => `<pre v-pre><code>${escaped(tokens[index]?.content ?? "")}</code></pre>`
  rules.code_inline = (tokens, index) => `<code v-pre>${escaped(tokens[index]?.content ?? "")}</code>`
}

const link = (file: string): string => `/${addressOf(file) ?? ""}`.replace(/(?:index)?\.md$/, "")
const item = (file: string): DefaultTheme.SidebarItem => ({
  text: file === "README.md" ? "Overview" : titleOf(file),
  link: link(file)
})
const within: Readonly<Record<string, DefaultTheme.SidebarItem>> = {
  "examples/README.md": {
    ...item("examples/README.md"),
    items: examples.map((file) => ({ text: file.slice("examples/".length), link: `/recipes/${recipeName(file)}` })),
    collapsed: true
  },
  "docs/decisions/README.md": {
    ...item("docs/decisions/README.md"),
    items: decisions.map((file) => item(file)),
    collapsed: true
  }
}

const sidebar: DefaultTheme.SidebarItem[] = sections.map(({ pages, title }) => ({
  text: title,
  items: [
    ...pages.map((file) => within[file] ?? item(file)),
    ...(title === "Reference" ? [{ text: "The library's exports", link: "/reference/" }] : [])
  ]
}))

/** Written by TypeDoc, before the site is built. */
const exportsFile = new URL("../reference/typedoc-sidebar.json", import.meta.url)
const exported: DefaultTheme.SidebarItem[] = existsSync(exportsFile)
  ? JSON.parse(readFileSync(exportsFile, "utf8"))
  : []

const installed = (module: string): string => fileURLToPath(new URL(`../node_modules/${module}`, import.meta.url))

/** The pages lie outside of this folder, where no Vue is found; what renders them at build time finds it when it runs. */
const vueOfTheSite: Plugin = {
  name: "vue-of-the-site",
  enforce: "pre",
  resolveId: (id, _importer, { ssr }) =>
    ssr === true && /^vue(?:\/server-renderer)?$/.test(id) ? { id, external: true } : undefined
}

export default defineConfig({
  title: "job-collector",
  description:
    "Delivers events from Redis Streams to an HTTP API, each request signed. A service, and a library for Effect apps.",
  lang: "en",
  base: process.env.SITE_BASE ?? "/",
  srcDir: "..",
  outDir: "dist",
  srcExclude: ["**/node_modules/**", "**/dist/**", "test/*/**", "schemas/**", "site/README.md"],
  rewrites: (id) => addressOf(id) ?? id,
  cleanUrls: true,
  markdown: {
    anchor: { slugify },
    config: (markdown) => {
      repositoryLinks(markdown)
      diagrams(markdown)
      plainText(markdown)
    }
  },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide" },
      { text: "Recipes", link: "/recipes/" },
      { text: "Contract", link: "/contract" },
      { text: "Reference", link: "/reference/" },
      { text: "Operations", link: "/runbook" }
    ],
    sidebar: { "/": sidebar, "/reference/": [{ text: "Back to the guide", link: "/guide" }, ...exported] },
    outline: [2, 3],
    search: { provider: "local" },
    ...(repositoryUrl === undefined ? {} : { socialLinks: [{ icon: "github", link: repositoryUrl }] })
  },
  vite: {
    plugins: [vueOfTheSite],
    resolve: {
      // Its own bundle is quicker to take in than its parts.
      alias: { mermaid: installed("mermaid/dist/mermaid.esm.min.mjs") }
    },
    build: { chunkSizeWarningLimit: 4_000 }
  }
})
