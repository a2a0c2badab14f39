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
  setInterval(() => { if (!document.hidden) again() }, 2000)
}
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm
  if (question !== undefined && !confirm(question.replace("{limit}", () => event.target.elements.limit?.value))) event.preventDefault()
})
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
    button.textContent = "Copied"
  })
}
const dialog = () => {
  const shown = document.createElement("dialog")
  const text = ["/  find", "g  then o f e t j c a: go to a page", "j k  next and previous row", "Enter  open the row", "x  mark the row", "r  replay or retry what matches", "?  this"]
  const list = document.createElement("pre")
  list.textContent = text.join("\\n")
  const close = document.createElement("button")
  close.textContent = "Close"
  close.addEventListener("click", () => shown.close())
  shown.append(list, close)
  shown.addEventListener("close", () => shown.remove())
  document.body.append(shown)
  shown.showModal()
}
const pages = { o: "/", f: "/failures", e: "/event", t: "/traffic", j: "/jobs", c: "/configuration", a: "/audit" }
let going = false
let row = -1
const rows = () => [...document.querySelectorAll("[data-rows] > *")]
const move = (step) => {
  const all = rows()
  if (all.length === 0) return
  row = Math.min(all.length - 1, Math.max(0, row + step))
  all.forEach((each, at) => each.classList.toggle("at", at === row))
  all[row].scrollIntoView({ block: "nearest" })
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]),select,textarea") || document.querySelector("dialog[open]") !== null) return
  const { key } = event
  if (going) {
    going = false
    if (pages[key] !== undefined) location.assign(pages[key])
    return
  }
  const current = rows()[row]
  if (key === "/") document.querySelector("[data-search]")?.focus()
  else if (key === "g") going = true
  else if (key === "j") move(1)
  else if (key === "k") move(-1)
  else if (key === "x") current?.querySelector("input[type=checkbox]")?.click()
  else if (key === "r") document.querySelector("[data-key=r]")?.click()
  else if (key === "?") dialog()
  else if (key === "Enter" && event.target === document.body) current?.querySelector("a")?.click()
  else return
  event.preventDefault()
})
`
