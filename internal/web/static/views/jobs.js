import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { bytes, clip, endpointLink, eventLink, h, jobLink, json, linked, number, pager, ruleLink, state, table, when } from "../dom.js";
import { silenceButton } from "../silence.js";
import { answers, periods, span, spanOf, to } from "../query.js";

export const nav = { name: "Jobs", path: "/jobs", key: "j", order: 2 };
export const pages = [[/^\/jobs$/, jobList], [/^\/jobs\/(.+)$/, jobPage]];

// The columns of the list; sort is the order of the server that a click on the name asks for.
const columns = [
  { name: "Job", cell: (j) => jobLink(j.id) },
  { name: "State", sort: "state", cell: (j) => h("span", {}, state(j.state), j.undo && h("span", { class: "state undo" }, "undo")) },
  { name: "What happened", cell: (j) => j.story },
  { name: "Rule", sort: "rule", cell: (j) => (j.rule ? ruleLink(j.rule) : `by ${j.submitter}`) },
  { name: "Host", sort: "host", cell: (j) => endpointLink(j.server, j.sensor, j.host) },
  { name: "Why", cell: (j) => [j.reason, j.detail].filter(Boolean).join(": ") },
  { name: "Steps", cell: (j) => `${j.done}/${j.steps}`, num: true },
  { name: "Created", sort: "created", cell: (j) => when(j.created) },
];

// jobTable lists jobs as the search does, without its orders.
export const jobTable = (list, options) => table(columns, list, { key: (j) => j.id, ...options });

const size = 100; // jobs a page
const states = ["", "live", "ended", "queued", "parked", "held", "running", "succeeded", "shadowed", "skipped", "failed", "unknown", "denied", "expired", "cancelled"];
const fields = ["q", "state", "rule", "host", "server", "tenant", "action", "sensor"];

// jobList searches, filters, sorts and pages on the server; the address holds the query.
export async function jobList({ query }) {
  const field = (name) => query.get(name) ?? "";
  const offset = Number(field("offset")) || 0;
  const now = { ...Object.fromEntries([...fields, "sort"].map((f) => [f, field(f)])), ...spanOf(query) };
  const p = await get(`jobs?${new URLSearchParams({ text: field("q"), state: field("state"), rule: field("rule"), host: field("host"), server: field("server"), tenant: field("tenant"), action: field("action"), sensor: field("sensor"), sort: field("sort"), ...span(query, "1"), limit: size, offset })}`);
  const submit = (e) => {
    e.preventDefault();
    location.hash = to("/jobs", { ...now, ...answers(e.target.closest("form")) });
  };
  const sorting = columns.map((c) => (!c.sort ? c : { ...c, label: h("a", {
    href: to("/jobs", { ...now, sort: now.sort === c.sort ? `-${c.sort}` : c.sort }), "aria-label": `Sort by ${c.name}`,
  }, c.name, now.sort === c.sort ? " ↑" : now.sort === `-${c.sort}` ? " ↓" : "") }));
  const input = (name, label) => h("input", { type: "search", name, value: field(name), placeholder: label, "aria-label": label });
  const choice = (name, all, values) => (values?.length > 1 || field(name)) && h("select", { name, "aria-label": name, onchange: (e) => e.target.form.requestSubmit() },
    [["", all], ...(values ?? []).map((v) => [v, v])].map(([value, text]) => h("option", { value, selected: value === field(name) }, text)));
  return [
    h("h1", {}, "Jobs"),
    h("form", { class: "bar", role: "search", onsubmit: submit },
      input("q", "Search"), input("host", "Host"), input("rule", "Rule"), input("action", "Action"),
      choice("server", "all servers", p.servers), choice("tenant", "all tenants", p.tenants),
      h("select", { name: "state", "aria-label": "State", onchange: (e) => e.target.form.requestSubmit() },
        states.map((s) => h("option", { value: s, selected: s === field("state") }, s || "all states"))),
      periods(query, "1"), h("button", {}, "Search"),
      fields.some(field) && h("a", { href: "#/jobs" }, "Show all")),
    field("sensor") && h("p", { class: "faint" }, "Only on endpoint ", endpointLink("", field("sensor")), "."),
    table(sorting, p.jobs, { key: (j) => j.id, empty: fields.some(field)
      ? "No job fits. Widen the time, or search for less."
      : "No job in this time. What rules match appears here; the page Events shows what arrives." }),
    pager(offset, offset + p.jobs.length < p.total && p.jobs.length || size, p.total, (n) => { location.hash = to("/jobs", { ...now, offset: n }); }, p.more),
    h("p", { class: "faint" }, `${p.more ? "more than " : ""}${number(p.more ? p.total - 1 : p.total)} jobs: live ones, and those that ended since `, when(p.since), query.get("until") && [", made until ", when(query.get("until"))], "."),
  ].flat().filter(Boolean);
}

export async function jobPage({ id, me, refresh }) {
  const p = await get(`jobs/${encodeURIComponent(id)}`);
  const j = p.job;
  const ended = !["held", "queued", "parked", "running"].includes(p.state);
  return [
    h("h1", {}, clip(`${p.undo ? "Undo" : p.rule || "Job"} on ${p.host || `sensor ${p.sensor}`}`)),
    h("p", { id: "story" }, clip(p.story), "."),
    p.of && h("p", { class: "faint" }, p.undo ? "It takes back what job " : "It goes on for job ", jobLink(p.of), p.undo ? " did." : "."),
    h("p", { id: "state" }, state(p.state), " ", linked(p.why || [p.reason, p.detail].filter(Boolean).join(": "))),
    p.asks?.length > 0 && h("p", {}, h("a", { class: "button", href: "#/approvals" }, "Answer what it asks")),
    h("div", { class: "bar" }, me.role === "admin" && actions(p, ended, refresh),
      me.role !== "viewer" && p.rule && silenceButton({ rule: p.rule }, "Silence this rule", refresh),
      p.rule && ended && h("button", { onclick: () => recordTest(p.id) }, "Record as a test")),
    h("p", { class: "links" }, "Endpoint ", endpointLink(p.server, p.sensor, p.host), p.rule && [" · rule ", ruleLink(p.rule)], j.event && [" · event ", eventLink(j.event.event.id, j.event.event.id.slice(0, 10))],
      " · ", h("a", { href: to("/why", { about: p.id }) }, "Why, step by step"), " · ", h("a", { href: to("/why", { about: p.host || `${p.server}/${p.sensor}` }) }, "What else happened on this host")),
    h("div", { class: "cards" },
      fact("Job", h("span", { class: "mono" }, p.id)), fact("Created", when(p.created)), fact("Started", when(j.started)), fact("Ended", when(j.ended)),
      fact("Priority", p.priority), fact("Submitted by", p.submitter), j.digest && fact("Rule digest", h("span", { class: "mono" }, j.digest.slice(0, 16)))),
    h("h2", {}, "Steps"),
    h("ol", { class: "timeline" }, flat(j.steps).flatMap((s) => stepItems(s, (j.done ?? []).filter((d) => d.id === s.id)))),
    p.artifacts.length > 0 && [h("h2", {}, "Artifacts"), artifactTable(p.artifacts, me)],
    j.event && [h("h2", {}, "Event"), h("details", { "data-key": "event" }, h("summary", {}, j.event.event.type, " at ", when(j.event.event.time) || "an unknown time"), json(j.event))],
    h("h2", {}, "History"),
    table([
      { name: "When", cell: (t) => when(t.at) },
      { name: "State", cell: (t) => state(t.state) },
      { name: "Why", cell: (t) => [t.reason, t.detail].filter(Boolean).join(": ") },
    ], j.history ?? []),
  ].flat(2).filter(Boolean);
}

const fact = (name, value) => value && h("div", { class: "card" }, h("div", { class: "name" }, name), h("div", {}, value));

// flat lists steps that run in parallel like the others.
const flat = (steps) => steps.flatMap((s) => (s.parallel?.length ? flat(s.parallel) : [s]));

// stepItems shows a step as planned, or each of its runs.
function stepItems(step, runs) {
  if (runs.length === 0) return [h("li", { class: "pending" }, h("strong", {}, step.uses), " ", h("span", { class: "faint" }, step.id), " ", state("pending"))];
  return runs.map((r) => h("li", { class: r.state },
    h("strong", {}, r.uses), " ", h("span", { class: "faint" }, r.item ? `${r.id} #${r.item}` : r.id), " ", state(r.state), " ",
    h("span", { class: "faint" }, took(r), r.session ? ` · session ${r.session}` : "", r.command ? ` · command ${r.command}` : ""),
    r.error && h("p", { class: r.state === "skipped" ? "faint" : "problem" }, clip(r.error)),
    (r.args || r.output) && h("details", { "data-key": `${r.id}-${r.item ?? 0}` }, h("summary", {}, "input and output"), r.args && [h("h3", {}, "Input"), json(r.args)], r.output && [h("h3", {}, "Output"), json(r.output)])));
}

function took(r) {
  if (r.state === "skipped" || !r.started || !r.ended || r.ended.startsWith("0001")) return "";
  return `${((new Date(r.ended) - new Date(r.started)) / 1000).toFixed(2)} s`;
}

function actions(p, ended, refresh) {
  const button = (label, verb, body = {}, options = {}) => h("button", {
    class: options.danger ? "danger" : "", async onclick() {
      const why = await ask(label, { go: label, ...options });
      if (why === null) return;
      await attempt(() => post(`jobs/${encodeURIComponent(p.id)}/${verb}`, { ...body, why }), `${label}: asked for.`);
      refresh();
    },
  }, label);
  return [
    !ended && button("Cancel", "cancel", {}, { danger: true, go: "Cancel the job", text: "Steps that have not begun are left out; what was done stays done." }),
    ended && !["succeeded", "unknown"].includes(p.state) && !p.undo && button("Run again", "retry", {}, { text: "A new job with the same steps; steps that succeeded are not repeated." }),
    p.state === "succeeded" && !p.undo && button("Undo", "undo", {}, { text: "Steps that can be undone, such as isolation or a ban, are undone by a new job." }),
    p.state === "unknown" && Object.entries(outcomes).map(([outcome, label]) => button(label, "resolve", { outcome }, { label: "How do you know? This is recorded." })),
  ].flat();
}

// recordTest shows a job as a test of its rule, to be saved beside it.
async function recordTest(id) {
  const t = await attempt(() => get(`jobs/${encodeURIComponent(id)}/test`));
  if (!t) return;
  const file = URL.createObjectURL(new Blob([t.text], { type: "application/yaml" }));
  const dialog = h("dialog", { class: "ask wide", "aria-label": "Record as a test", onclose: () => { URL.revokeObjectURL(file); dialog.remove(); } },
    h("h2", {}, "The job as a test of its rule"),
    h("p", {}, "Save it beside the rule; ", h("code", {}, "pipeline rules test"), " runs it."),
    h("pre", { tabindex: 0 }, t.text),
    h("form", { method: "dialog", class: "bar end" }, h("a", { class: "button primary", href: file, download: t.name }, `Save ${t.name}`), h("button", {}, "Close")));
  document.body.append(dialog);
  dialog.showModal();
}

const outcomes = { happened: "It was done: go on", never: "It was not done: run it", settled: "Leave it" };

export function artifactTable(list, me) {
  const may = me.role !== "viewer";
  return table([
    { name: "File", cell: (a) => !may ? a.name : h("a", { href: `/api/v1/artifacts/${encodeURIComponent(a.id)}`, download: a.name }, a.name) },
    { name: "From", cell: (a) => h("code", {}, a.path) },
    { name: "Endpoint", cell: (a) => endpointLink(a.server, a.sensor) },
    { name: "Size", cell: (a) => bytes(a.size), num: true },
    { name: "SHA-256", cell: (a) => h("code", {}, a.sha256) },
    { name: "Collected", cell: (a) => when(a.time) },
    { name: "Job", cell: (a) => a.job && jobLink(a.job) },
  ], list, { key: (a) => a.id, empty: "No file has been collected." });
}
