import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { filter, h, number, state, table, when } from "../dom.js";

export const nav = { name: "Rules", path: "/rules", key: "r", order: 4 };
export const pages = [[/^\/rules$/, rules]];

export async function rules({ me, refresh }) {
  const reset = (rule) => async () => {
    const why = await ask(`Reset the breaker of ${rule}`, { text: "The rule acts again, on all replicas.", go: "Reset" });
    if (why === null) return;
    await attempt(() => post(`rules/${encodeURIComponent(rule)}/reset`, { why }), "The rule acts again.");
    refresh();
  };
  const p = await get("rules");
  const dead = p.rules.filter((r) => r.enabled && !r.matches).length;
  const list = table([
    { name: "Rule", cell: (r) => h("details", { "data-key": r.id }, h("summary", {}, h("strong", {}, r.id), r.title ? ` – ${r.title}` : ""), h("pre", {}, `on: ${r.on.join(", ")}\n${r.when ? `when: ${r.when}\n` : ""}steps: ${(r.steps ?? []).map((s) => s || "parallel").join(" → ")}`), h("p", { class: "faint" }, `${r.file}:${r.line}`), r.always_candidate && h("p", { class: "faint" }, `Tried with every event of its kind: ${r.always_candidate}`)) },
    { name: "State", cell: (r) => h("span", {}, state(!r.enabled ? "off" : r.mode === "shadow" || r.breaker ? "shadow" : "enforced"), r.breaker ? ` breaker open: ${r.breaker} ` : "", r.breaker && me.role !== "viewer" ? h("button", { onclick: reset(r.id) }, "Reset") : "") },
    { name: "Severity", cell: (r) => r.severity },
    { name: "Matches", cell: (r) => h("a", { href: `#/jobs?rule=${encodeURIComponent(r.id)}` }, number(r.matches)), num: true },
    { name: "Last match", cell: (r) => (r.matches ? when(r.last_match) : r.enabled && state("never")) },
    { name: "Errors", cell: (r) => (r.errors ? h("span", { class: "problem" }, number(r.errors)) : ""), num: true },
    { name: "Tags", cell: (r) => (r.tags ?? []).join(" ") },
  ], p.rules, { empty: "No rule is loaded.", key: (r) => r.id, rowClass: (r) => (r.enabled && !r.matches ? "dead" : "") });
  return [
    h("h1", {}, "Rules"),
    p.error && h("div", { class: "card" }, h("p", { class: "problem" }, "The newest files have mistakes; the rules below, from before, stay in force."), h("pre", {}, p.error)),
    h("div", { class: "bar" }, filter("Search these rules")),
    list,
    h("p", { class: "faint" }, dead ? `${dead} of ${p.rules.length} rules never matched since the start (marked). ` : "Every rule has matched since the start. ", "Loaded ", when(p.loaded), "."),
  ].filter(Boolean);
}
