/** The one script: figures that follow, keys, and questions before what cannot be undone. Reading needs none of it. */
export const script = `const live = document.querySelector("[data-live]")
if (live !== null) {
  const again = async () => {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" })
      if (!answer.ok) return
      const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]")
      if (next !== null && !live.contains(document.activeElement)) live.replaceChildren(...next.childNodes)
    } catch {}
  }
  setInterval(() => { if (!document.hidden) again() }, 5000)
}
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm
  if (question !== undefined && !confirm(question)) event.preventDefault()
})
`
