import { get } from "../api.js";
import { chart } from "../chart.js";
import { clip, h, number, state, table, when } from "../dom.js";
import { to } from "../query.js";
import { silenceButton, silenceTable } from "../silence.js";
import { decisionTable } from "./event.js";
import { jobTable } from "./jobs.js";
import { resetButton, ruleState } from "./rules.js";

export const pages = [[/^\/rules\/(.+)$/, rule]];

// rule is a rule in force and what it did.
export async function rule({ id, me, refresh }) {
  const p = await get(`rules/${encodeURIComponent(id)}`);
  const may = me.role !== "viewer";
  return [
    h("h1", {}, clip(p.title || p.id)),
    h("p", { id: "state" }, state(ruleState(p)), " ", h("code", {}, p.id), ` · ${p.severity} · ${p.file}:${p.line}`),
    p.breaker && h("p", { class: "problem" }, `Its breaker is open: ${p.breaker}. It records and does not act.`),
    may && h("div", { class: "bar" }, p.breaker && resetButton(p.id, refresh), silenceButton({ rule: p.id }, "Silence this rule", refresh)),
    p.description && h("p", {}, clip(p.description)),
    p.warnings.map((w) => h("p", { class: "warning" }, clip(w))),
    p.always_candidate && h("p", { class: "faint" }, `Tried with every event of its kind: ${p.always_candidate}`),
    p.false_positives?.length > 0 && [h("h2", {}, "Known false positives"), h("ul", {}, p.false_positives.map((x) => h("li", {}, x)))],
    h("h2", {}, "Matches"),
    h("div", { class: "charts" }, chart("Matches", [{ name: "became jobs", values: p.acted }, { name: "left out", values: p.left, tone: "wait" }], { step: p.step_seconds, end: new Date() })),
    h("p", { class: "faint" }, `Since the start of this replica ${number(p.matches)} matches`, p.last_match && p.matches ? [", the last ", when(p.last_match)] : "", p.errors ? h("span", { class: "problem" }, `, ${number(p.errors)} errors`) : "", `. Suppression: ${p.suppression}.`),
    h("h2", {}, "Text"),
    p.text_problem && h("p", { class: "problem" }, p.text_problem),
    p.text && h("pre", {}, p.text),
    h("h2", {}, "Tests"),
    table([
      { name: "Test", cell: (t) => t.name },
      { name: "Where", cell: (t) => h("code", {}, `${t.file}:${t.line}`) },
    ], p.tests, { key: (t) => `${t.file}:${t.line}`, empty: "It has no test. A job of it can be recorded as one, on the page of the job." }),
    h("h2", {}, "Jobs of the last day"),
    jobTable(p.jobs.slice(0, 50), { empty: "None." }),
    p.jobs.length > 50 && h("p", {}, h("a", { href: to("/jobs", { rule: p.id, days: "1" }) }, `All ${number(p.jobs.length)}`)),
    h("h2", {}, "Matches that became no job"), decisionTable(p.decisions, { empty: "None in the last day." }),
    h("h2", {}, "Silences"), silenceTable(p.silences, me, refresh),
  ].flat(2).filter(Boolean);
}
