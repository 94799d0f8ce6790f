import { get } from "../api.js";
import { filter, h, number, state, table, when } from "../dom.js";

export async function rules() {
  const p = await get("rules");
  const list = table([
    { name: "Rule", cell: (r) => h("details", {}, h("summary", {}, h("strong", {}, r.id), r.title ? ` – ${r.title}` : ""), h("pre", {}, `on: ${r.on.join(", ")}\n${r.when ? `when: ${r.when}\n` : ""}steps: ${r.steps.join(" → ")}`), h("p", { class: "faint" }, `${r.file}:${r.line}`)) },
    { name: "State", cell: (r) => h("span", {}, state(!r.enabled ? "off" : r.mode === "shadow" || r.breaker ? "shadow" : "ok"), r.breaker ? ` ${r.breaker}` : "") },
    { name: "Severity", cell: (r) => r.severity },
    { name: "Matches", cell: (r) => number(r.matches), num: true },
    { name: "Last match", cell: (r) => when(r.last_match) || "never since the start" },
    { name: "Errors", cell: (r) => (r.errors ? h("span", { class: "problem" }, number(r.errors)) : ""), num: true },
    { name: "Tags", cell: (r) => (r.tags ?? []).join(" ") },
  ], p.rules, { empty: "No rule is loaded.", rowClass: (r) => (r.matches ? "" : "dead") });
  return [
    h("h1", {}, `Rules`),
    p.error && h("div", { class: "card" }, h("p", { class: "problem" }, "The newest files have mistakes; the rules below, from before, stay in force."), h("pre", {}, p.error)),
    h("div", { class: "bar" }, filter("Search these rules", () => list)),
    list,
    h("p", { class: "faint" }, "Rules that have not matched since the start are dimmed. Loaded ", when(p.loaded), "."),
  ].filter(Boolean);
}
