import { get, post } from "../api.js";
import { bytes, filter, h, jobLink, json, state, table, when } from "../dom.js";

const columns = [
  { name: "Job", cell: (j) => jobLink(j.id) },
  { name: "State", cell: (j) => h("span", {}, state(j.state), j.mode === "shadow" && h("span", { class: "state shadow" }, "shadow")) },
  { name: "Rule", cell: (j) => j.rule || `by ${j.submitter}` },
  { name: "Sensor", cell: (j) => j.host || `sensor ${j.sensor}` },
  { name: "Why", cell: (j) => [j.reason, j.detail].filter(Boolean).join(": ") },
  { name: "Steps", cell: (j) => `${j.done}/${j.steps}`, num: true },
  { name: "Priority", cell: (j) => j.priority },
  { name: "Created", cell: (j) => when(j.created) },
];

export async function jobList({ query }) {
  const chosen = query.get("state") ?? "";
  const params = new URLSearchParams(query);
  const jobs = await get(`jobs?${params}`);
  const list = table(columns, jobs, { empty: "No job is like that. Matches of your rules will appear here." });
  const states = ["", "live", "ended", "queued", "parked", "held", "running", "succeeded", "failed", "unknown", "denied", "expired", "cancelled"];
  return [
    h("h1", {}, "Jobs"),
    h("div", { class: "bar" }, filter("Search these jobs", () => list),
      h("select", { "aria-label": "State", onchange: (e) => { location.hash = e.target.value ? `/jobs?state=${e.target.value}` : "/jobs"; } },
        states.map((s) => h("option", { value: s, selected: s === chosen }, s || "all states")))),
    list,
  ];
}

export async function jobPage({ id, me, refresh }) {
  const p = await get(`jobs/${encodeURIComponent(id)}`);
  const j = p.job;
  const ended = ["succeeded", "failed", "cancelled", "expired", "denied", "unknown"].includes(p.state);
  return [
    h("h1", {}, `${p.rule || "Job"} on ${p.host || `sensor ${p.sensor}`}`),
    h("p", {}, state(p.state), " ", p.why || [p.reason, p.detail].filter(Boolean).join(": ")),
    me.role === "admin" && actions(p, ended, refresh),
    h("div", { class: "cards" },
      fact("Job", h("span", { class: "mono" }, p.id)), fact("Created", when(p.created)), fact("Started", when(j.started)), fact("Ended", when(j.ended)),
      fact("Priority", p.priority), fact("Submitted by", p.submitter), j.digest && fact("Rule digest", h("span", { class: "mono" }, j.digest.slice(0, 16)))),
    h("h2", {}, "Steps"),
    h("ol", { class: "timeline" }, j.steps.flatMap((s) => stepItems(s, (j.done ?? []).filter((d) => d.id === s.id)))),
    p.artifacts.length > 0 && [h("h2", {}, "Artifacts"), artifactTable(p.artifacts)],
    j.event && [h("h2", {}, "Event"), h("details", {}, h("summary", {}, `${j.event.event.type} at ${j.event.event.time ?? "an unknown time"}`), json(j.event))],
    h("h2", {}, "History"),
    table([
      { name: "When", cell: (t) => new Date(t.at).toLocaleTimeString() },
      { name: "State", cell: (t) => state(t.state) },
      { name: "Why", cell: (t) => [t.reason, t.detail].filter(Boolean).join(": ") },
    ], j.history ?? []),
  ].flat(2).filter(Boolean);
}

const fact = (name, value) => value && h("div", { class: "card" }, h("div", { class: "name" }, name), h("div", {}, value));

// stepItems shows a step as planned, or each of its runs.
function stepItems(step, runs) {
  if (runs.length === 0) return [h("li", {}, h("strong", {}, step.uses || "parallel"), " ", h("span", { class: "faint" }, step.id), " ", state("pending"))];
  return runs.map((r) => h("li", {},
    h("strong", {}, r.uses), " ", h("span", { class: "faint" }, r.item ? `${r.id} #${r.item}` : r.id), " ", state(r.state), " ",
    h("span", { class: "faint" }, took(r), r.session ? ` · session ${r.session}` : "", r.command ? ` · command ${r.command}` : ""),
    r.error && h("p", { class: "problem" }, r.error),
    (r.args || r.output) && h("details", {}, h("summary", {}, "input and output"), r.args && json(r.args), r.output && json(r.output))));
}

function took(r) {
  if (!r.started || !r.ended || r.ended.startsWith("0001")) return "";
  return `${((new Date(r.ended) - new Date(r.started)) / 1000).toFixed(2)} s`;
}

function actions(p, ended, refresh) {
  const ask = (label, verb, cls = "") => h("button", {
    class: cls, async onclick() {
      const why = prompt(`${label}: why? This is recorded.`);
      if (why === null) return;
      try { await post(`jobs/${encodeURIComponent(p.id)}/${verb}`, { why }); } catch (e) { alert(e.message); }
      refresh();
    },
  }, label);
  return h("div", { class: "bar" },
    !ended && ask("Cancel", "cancel", "danger"),
    ended && ask("Run again", "retry"),
    p.state === "succeeded" && ask("Undo", "undo"),
    p.state === "unknown" && ["happened", "never", "settled"].map((outcome) => h("button", {
      async onclick() {
        const why = prompt("How do you know? This is recorded.");
        if (why === null) return;
        try { await post(`jobs/${encodeURIComponent(p.id)}/resolve`, { outcome, why }); } catch (e) { alert(e.message); }
        refresh();
      },
    }, { happened: "It was done: go on", never: "It was not done: run it", settled: "Leave it" }[outcome])));
}

export function artifactTable(list) {
  return table([
    { name: "File", cell: (a) => h("a", { href: `/api/v1/artifacts/${encodeURIComponent(a.id)}`, download: a.name }, a.name) },
    { name: "From", cell: (a) => h("code", {}, a.path) },
    { name: "Sensor", cell: (a) => a.sensor, num: true },
    { name: "Size", cell: (a) => bytes(a.size), num: true },
    { name: "SHA-256", cell: (a) => h("code", {}, a.sha256) },
    { name: "Collected", cell: (a) => when(a.time) },
    { name: "Job", cell: (a) => a.job && jobLink(a.job) },
  ], list, { empty: "No file has been collected." });
}
