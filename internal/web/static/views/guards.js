import { get, post, remove } from "../api.js";
import { ask, attempt } from "../ask.js";
import { h, meter, table, when } from "../dom.js";

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
    h("h2", {}, "Budgets"),
    table([
      { name: "Budget", cell: (b) => b.name },
      { name: "Used", cell: (b) => `${b.used} of ${b.limit}`, num: true },
      { name: "", cell: (b) => meter(b.used, b.limit) },
      { name: "Free again", cell: (b) => when(b.resets) },
    ], g.budgets, { key: (b) => b.name, empty: "No budget is set." }),
    h("h2", {}, "Guards in force"),
    g.guards?.length ? h("ul", {}, g.guards.map((x) => h("li", {}, x))) : h("p", { class: "faint" }, "No guards file is loaded: every rule may act on every sensor."),
    g.file && h("p", { class: "faint" }, g.file),
    h("h2", {}, "Silences"),
    table([
      { name: "What", cell: (s) => [s.rule && `rule ${s.rule}`, s.sensor && `sensor ${s.sensor}`, s.action && `action ${s.action}`].filter(Boolean).join(", ") },
      { name: "Until", cell: (s) => when(s.until) },
      { name: "By", cell: (s) => s.author },
      { name: "Why", cell: (s) => s.comment },
      { name: "", cell: (s) => may && h("button", { onclick: act(() => remove(`silences/${encodeURIComponent(s.id)}`)) }, "End") },
    ], g.silences, { key: (s) => s.id, empty: "Nothing is silenced." }),
    may && silenceForm(act, query.get("rule")),
  ].filter(Boolean);
}

function silenceForm(act, rule) {
  const field = (name, attrs = {}) => h("input", { name, placeholder: name, "aria-label": name, ...attrs });
  return h("form", {
    class: "bar", onsubmit: (e) => {
      e.preventDefault();
      const form = e.target, { rule, sensor, action, comment, hours } = Object.fromEntries(new FormData(form));
      act(async () => {
        await post("silences", { rule, sensor, action, comment, until: new Date(Date.now() + hours * 3600e3).toISOString() });
        form.reset();
      })();
    },
  }, field("rule", { value: rule ?? "" }), field("sensor", { placeholder: "hq/42" }), field("action"), field("comment", { required: true }),
    field("hours", { type: "number", min: 1, max: 720, value: 4 }), h("span", { class: "faint" }, "hours"), h("button", { class: "primary" }, "Silence"));
}
