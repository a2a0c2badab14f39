import { useData } from "vitepress"
import { defineComponent, h, onMounted, ref, useId, watch } from "vue"

/** A Mermaid diagram in the page's colours; its code, until it is drawn and where it cannot be. */
export const Diagram = defineComponent({
  props: { code: { type: String, required: true } },
  setup(props) {
    const { isDark } = useData()
    const id = `diagram-${useId()}`
    const code = decodeURIComponent(props.code)
    const picture = ref("")
    const draw = async (): Promise<void> => {
      const { default: mermaid } = await import("mermaid")
      mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: isDark.value ? "dark" : "neutral" })
      picture.value = (await mermaid.render(id, code)).svg
    }
    onMounted(() => {
      // What cannot be drawn stays code.
      watch(isDark, () => draw().catch(() => undefined), { immediate: true })
    })
    return () =>
      picture.value === ""
        ? h("pre", { class: "diagram" }, code)
        : h("div", { class: "diagram", innerHTML: picture.value })
  }
})
