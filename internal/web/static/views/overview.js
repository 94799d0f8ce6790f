import { get } from "../api.js";
import { chart } from "../chart.js";
import { endpointLink, h, jobLink, meter, number, ruleLink, table, when } from "../dom.js";

export const nav = { name: "Overview", path: "/", key: "o", order: 1 };
export const pages = [[/^\/$/, overview]];

const periods = [[1, "last hour"], [6, "last 6 hours"], [24, "last day"]];

export async function overview({ query }) {
  const hours = query.get("hours") || "6";
  const o = await get(`overview?hours=${encodeURIComponent(hours)}`);
  const scale = { step: o.history.step_seconds, end: o.history.end, known: o.history.known };
  const live = (s) => o.jobs[s] ?? 0;
  const most = Math.max(1, ...o.top_rules.map((r) => r.matches));
  return [
    h("h1", {}, "Overview"),
    h("section", { class: "needs", "aria-labelledby": "needs" },
      h("h2", { id: "needs" }, "Needs you"),
      o.needs.length === 0 ? h("p", { class: "card good" }, "Nothing. Everything that was tried works.")
        : h("ul", {}, o.needs.map((n) => h("li", { class: `card ${n.kind}`, "data-key": n.kind + n.text }, h("a", { href: n.link }, n.text))))),
    h("h2", {}, "Now"),
    h("div", { class: "cards five" },
      card("events per second", o.event_rate, "#/live"),
      card("running", live("running"), "#/jobs?state=running"),
      card("queued", live("queued"), "#/jobs?state=queued"),
      card("parked", live("parked"), "#/jobs?state=parked"),
      card("held for people", live("held"), "#/approvals", live("held") > 0 && "wait")),
    h("h2", {}, "Jobs that ended, since the start of this replica"),
    h("div", { class: "cards five" },
      card("succeeded", o.ended.succeeded, "#/jobs?state=succeeded"),
      card("only recorded", o.ended.shadowed, "#/jobs?state=shadowed"),
      card("skipped", o.ended.skipped, "#/jobs?state=skipped"),
      card("failed", o.ended.failed, "#/jobs?state=failed", o.ended.failed > 0 && "bad"),
      card("outcome unknown", o.ended.unknown, "#/jobs?state=unknown", o.ended.unknown > 0 && "bad")),
    h("div", { class: "bar trends" }, h("h2", {}, "Trends"), h("select", { "aria-label": "How far back", onchange: (e) => { location.hash = `/?hours=${e.target.value}`; } },
      periods.map(([value, name]) => h("option", { value, selected: String(value) === hours }, name)))),
    h("div", { class: "charts" },
      chart("Events", [{ name: "arrived", values: o.history.events }], scale),
      chart("Matches", [{ name: "matches", values: o.history.matches }], scale),
      chart("Jobs", [{ name: "ended", values: o.history.jobs }, { name: "failed or unknown", values: o.history.failed, tone: "bad" }], scale)),
    h("div", { class: "halves" },
      h("section", {},
        h("h2", {}, "Matches by rule, since the start"),
        table([
          { name: "Rule", cell: (r) => ruleLink(r.rule) },
          { name: "Matches", cell: (r) => number(r.matches), num: true },
          { name: "Share", cell: (r) => meter(r.matches, most) },
        ], o.top_rules, { key: (r) => r.rule, empty: "No rule has matched yet." }),
        h("p", { class: "faint" }, h("a", { href: "#/rules" }, `All rules in force: ${o.rules}`))),
      h("section", {},
        h("h2", {}, `Live Response sessions: ${o.slots.claims.length} of ${o.slots.limit}`, o.slots.foreign ? `, and ${o.slots.foreign} of others` : "", " "),
        h("p", {}, meter(o.slots.claims.length, o.slots.limit)),
        table([
          { name: "Sensor", cell: (c) => endpointLink(c.server, c.sensor, c.host) },
          { name: "Session", cell: (c) => c.session || "opening" },
          { name: "Job", cell: (c) => (c.job ? jobLink(c.job) : "idle") },
          { name: "Replica", cell: (c) => c.owner },
        ], o.slots.claims, { key: (c) => `${c.sensor} ${c.session}`, empty: "No session is open." }))),
    h("h2", {}, "Health"),
    h("ul", { class: "checks" }, o.checks.filter((c) => c.state !== "ok").map((c) => h("li", {}, h("span", { class: `state ${{ ok: "good", failed: "bad" }[c.state] ?? "wait"}` }, c.state), ` ${c.name} `, c.since && c.state !== "ok" ? when(c.since) : "", h("span", { class: "faint" }, ` ${c.evidence ?? ""} `), c.cure ? h("span", {}, `→ ${c.cure}`) : ""))),
    h("ul", { class: "checks fine", "aria-label": "Checks that are ok" }, o.checks.filter((c) => c.state === "ok").map((c) => h("li", { title: c.evidence || null }, h("span", { class: "state good" }, "ok"), ` ${c.name}`))),
    h("p", { class: "faint" }, `EDR server ${o.server} · edrpipe ${o.version} · press ? for keys`),
  ];
}

const card = (name, value, href, tone) => h("a", { class: `card ${tone || ""}`, href }, h("div", { class: "value" }, number(value)), h("div", { class: "name" }, name));
