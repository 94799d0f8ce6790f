import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { filter, h, number, ruleLink, state, table, when } from "../dom.js";

export const nav = { name: "Rules", path: "/rules", key: "r", order: 4 };
export const pages = [[/^\/rules$/, rules]];

export const ruleState = (r) => (!r.enabled ? "off" : r.mode === "shadow" || r.breaker ? "shadow" : "enforced");

// resetButton closes the breaker of a rule.
export const resetButton = (rule, refresh) => h("button", {
  async onclick() {
    const why = await ask(`Reset the breaker of ${rule}`, { text: "The rule acts again, on all replicas.", go: "Reset" });
    if (why === null) return;
    await attempt(() => post(`rules/${encodeURIComponent(rule)}/reset`, { why }), "The rule acts again.");
    refresh();
  },
}, "Reset");

export async function rules({ me, refresh }) {
  const p = await get("rules");
  const dead = p.rules.filter((r) => r.enabled && !r.matches).length;
  const list = table([
    { name: "Rule", cell: (r) => h("span", {}, h("strong", {}, ruleLink(r.id)), r.title ? ` – ${r.title}` : "", h("div", { class: "faint" }, (r.steps ?? []).map((s) => s || "parallel").join(" → "))) },
    { name: "State", cell: (r) => h("span", {}, state(ruleState(r)), r.breaker ? ` breaker open: ${r.breaker} ` : "", r.breaker && me.role !== "viewer" ? resetButton(r.id, refresh) : "") },
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
