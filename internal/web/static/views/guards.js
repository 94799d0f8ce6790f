import { get, post } from "../api.js";
import { ask, attempt } from "../ask.js";
import { h, meter, table, when } from "../dom.js";
import { silenceTable } from "../silence.js";

export const nav = { name: "Guards", path: "/guards", key: "u", order: 6 };
export const pages = [[/^\/guards$/, guards]];

export async function guards({ me, refresh, query }) {
  const g = await get("guards");
  const may = me.role !== "viewer";
  const act = (fn, done) => async () => { await attempt(fn, done); refresh(); };
  const change = (title, path, done, options) => async () => {
    const why = await ask(title, options);
    if (why !== null) await act(() => post(path, { why }), done)();
  };
  const dry = (on, title, done, options) => async () => {
    const why = await ask(title, { go: title, ...options });
    if (why !== null) await act(() => post("dry-run", { on, why }), done)();
  };
  const toggle = g.stopped
    ? h("button", { class: "primary", onclick: change("Resume", "resume", "Resumed.", { text: "Jobs that wait will start again, on all replicas.", go: "Resume" }) }, "Resume")
    : h("button", { class: "danger", onclick: change("Stop everything", "stop", "Stopped.", { text: "Running steps end, nothing new starts, on all replicas.", go: "Stop", danger: true }) }, "Stop everything");
  return [
    h("h1", {}, "Guards"),
    may && h("div", { class: "bar" }, toggle, g.dry_run
      ? h("button", { onclick: dry(false, "Act again", "Acting again.", { text: "Jobs act again, on all replicas." }) }, "Act again")
      : h("button", { onclick: dry(true, "Dry run", "Dry run.", { text: "Everything is decided and recorded, nothing is done, on all replicas." }) }, "Dry run"), h("span", { class: "faint" }, "Stopping lets running steps end and starts nothing new, on all replicas.")),
    (g.stops?.length || g.dry_runs?.length) && h("h2", {}, "Stopped servers and tenants"),
    (g.stops?.length || g.dry_runs?.length) && table([
      { name: "Where", cell: area },
      { name: "What", cell: (s) => s.dry ? "dry run" : "stopped" },
      { name: "Since", cell: (s) => when(s.at) },
      { name: "By", cell: (s) => s.by },
      { name: "Why", cell: (s) => s.why },
      { name: "", label: h("span", { class: "unseen" }, "End it"), cell: (s) => may && h("button", { onclick: act(() => s.dry ? post("dry-run", { on: false, ...part(s) }) : post("resume", part(s))) }, s.dry ? "Act again" : "Resume") },
    ], [...(g.stops ?? []), ...(g.dry_runs ?? []).map((s) => ({ ...s, dry: true }))], { key: (s) => `${s.dry} ${area(s)}` }),
    may && h("h2", {}, "Stop one server or tenant"),
    may && stopForm(act),
    h("h2", {}, "Budgets"),
    table([
      { name: "Budget", cell: (b) => b.name },
      { name: "Used", cell: (b) => `${b.used} of ${b.limit}`, num: true },
      { name: "Share", cell: (b) => meter(b.used, b.limit) },
      { name: "Free again", cell: (b) => when(b.resets) },
    ], g.budgets, { key: (b) => b.name, empty: "No budget is set." }),
    h("h2", {}, "Guards in force"),
    g.guards?.length ? h("ul", {}, g.guards.map((x) => h("li", {}, x))) : h("p", { class: "faint" }, "No guards file is loaded: every rule may act on every sensor."),
    g.file && h("p", { class: "faint" }, g.file),
    h("h2", {}, "Silences"),
    silenceTable(g.silences, me, refresh),
    may && h("h3", {}, "Silence something: what you leave empty is not narrowed"),
    may && silenceForm(act, query.get("rule")),
  ].filter(Boolean);
}

const part = (s) => s.server ? { server: s.server } : { tenant: s.tenant };
const area = (s) => s.server ? `server ${s.server}` : `tenant ${s.tenant}`;

function stopForm(act) {
  return h("form", {
    class: "bar", onsubmit: (e) => {
      e.preventDefault();
      const { kind, name, why } = Object.fromEntries(new FormData(e.target)), path = e.submitter.value;
      act(() => post(path, { [kind]: name, why, ...(path === "dry-run" && { on: true }) }))();
    },
  },
  h("select", { name: "kind", "aria-label": "server or tenant" }, h("option", { value: "server" }, "server"), h("option", { value: "tenant" }, "tenant")),
  h("input", { name: "name", placeholder: "name", "aria-label": "its name", required: true }),
  h("input", { name: "why", placeholder: "Why? This is recorded.", "aria-label": "why", class: "grow" }),
  h("button", { class: "danger", value: "stop" }, "Stop it"), h("button", { value: "dry-run" }, "Dry run"));
}

function silenceForm(act, rule) {
  const field = (name, attrs = {}, label = name) => h("label", {}, label, h("input", { name, ...attrs }));
  return h("form", {
    class: "bar", onsubmit: (e) => {
      e.preventDefault();
      const form = e.target, { rule, sensor, action, server, tenant, comment, hours } = Object.fromEntries(new FormData(form));
      act(async () => {
        await post("silences", { rule, sensor, action, server, tenant, comment, until: new Date(Date.now() + hours * 3600e3).toISOString() });
        form.reset();
      })();
    },
  }, field("rule", { value: rule ?? "" }), field("sensor", { placeholder: "hq/42" }, "endpoint"), field("action", { placeholder: "isolate" }), field("server"), field("tenant"), field("comment", { required: true }, "why"),
    field("hours", { type: "number", min: 1, max: 720, value: 4 }, "for hours"), h("button", { class: "primary" }, "Silence"));
}
