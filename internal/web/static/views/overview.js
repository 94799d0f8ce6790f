import { get } from "../api.js";
import { chart } from "../chart.js";
import { h, jobLink, number, table } from "../dom.js";

export async function overview() {
  const o = await get("overview");
  const card = (name, value, href) => h("div", { class: "card" }, h("div", { class: "value" }, value), h("div", { class: "name" }, href ? h("a", { href }, name) : name));
  const live = (s) => o.jobs[s] ?? 0;
  return [
    h("h1", {}, "Overview"),
    h("div", { class: "cards" },
      card("events per second", number(o.event_rate)),
      card("running", number(live("running")), "#/jobs?state=running"),
      card("queued", number(live("queued")), "#/jobs?state=queued"),
      card("parked", number(live("parked")), "#/jobs?state=parked"),
      card("held", number(live("held")), "#/approvals"),
      card("succeeded", number(o.ended.succeeded), "#/jobs?state=succeeded"),
      card("failed or unknown", number((o.ended.failed ?? 0) + (o.ended.unknown ?? 0)), "#/jobs?state=failed"),
      card("rules in force", number(o.rules), "#/rules")),
    h("div", { class: "charts" },
      chart("Events", o.history.events, { step: o.history.step_seconds }),
      chart("Matches", o.history.matches, { step: o.history.step_seconds }),
      chart("Jobs ended", o.history.jobs, { step: o.history.step_seconds }),
      chart("Jobs failed", o.history.failed, { step: o.history.step_seconds })),
    h("h2", {}, `Live Response sessions: ${o.slots.claims.length} of ${o.slots.limit} ours, ${o.slots.foreign} of others`),
    table([
      { name: "Sensor", cell: (c) => c.host || `sensor ${c.sensor}` },
      { name: "Session", cell: (c) => c.session || "opening" },
      { name: "Job", cell: (c) => (c.job ? jobLink(c.job) : "idle") },
      { name: "Replica", cell: (c) => c.owner },
    ], o.slots.claims, { empty: "No session is open." }),
    h("h2", {}, "Health"),
    table([
      { name: "What", cell: (c) => c.name },
      { name: "State", cell: (c) => h("span", { class: `state ${c.ok ? "good" : "bad"}` }, c.ok ? "works" : "does not work") },
      { name: "", cell: (c) => c.text },
    ], o.checks),
    h("p", { class: "faint" }, `EDR server ${o.server} · edrpipe ${o.version} · press ? for keys`),
  ];
}
