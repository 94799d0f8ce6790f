// Small tools for making pages. Text always goes in as text: what an endpoint
// sent can never become markup.

// h makes an element: h("a", {href: "#/"}, "text", child, …).
export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("on")) el[name] = value;
    else if (value === true) el.setAttribute(name, "");
    else if (value !== false && value != null) el.setAttribute(name, readable.includes(name) ? visible(value) : value);
  }
  el.append(...children.flat(3).filter((c) => c != null && c !== false).map((c) => (c instanceof Node ? c : visible(c))));
  return el;
}

const readable = ["title", "aria-label", "alt"]; // attributes that people read

// visible writes out the characters that would turn the text around, hide a part of it or
// not be seen, as the command line does: a name from an endpoint looks like what it is.
const hidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]|\p{Cf}/gu;
export const visible = (text) => String(text).replace(hidden, (c) => `\\u${c.codePointAt(0).toString(16).padStart(4, "0")}`);

// clip shows a few lines of a name that is long, more of a text of several words, and all
// of it as a hint.
const long = 200;
export const clip = (text) => (String(text ?? "").length > long ? h("span", { class: /\s/.test(text) ? "clip words" : "clip", title: text }, text) : text);

// table makes a table that becomes a list of cards on a phone.
// columns: [{name, cell: (row) => node or text, num}]; key tells one row from another.
export function table(columns, rows, { empty = "Nothing here.", rowClass = () => "", key = () => null } = {}) {
  if (rows.length === 0) return h("div", { class: "card empty" }, empty);
  return h("div", { class: "scroll" }, h("table", { class: "stack" },
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.num ? "num" : null }, c.label ?? c.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: rowClass(row), "data-key": key(row) }, columns.map((c) =>
      h("td", { "data-name": c.name, class: c.num ? "num" : null }, cut(c.cell(row) || ""))))))));
}

const cut = (content) => (typeof content === "string" ? clip(content) : content);

export const state = (s) => h("span", { class: `state ${s}` }, s);

// when shows a time by the clock of this browser, and how long ago that was; the whole
// of it, with the zone, is a hint. Times of other days have their date.
export function when(t) {
  if (!t || t.startsWith("0001-")) return "";
  const d = new Date(t), today = d.toDateString() === new Date().toDateString();
  const clock = d.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const day = today ? "" : `${d.toLocaleDateString(undefined, { month: "short", day: "numeric", ...(d.getFullYear() !== new Date().getFullYear() && { year: "numeric" }) })}, `;
  return h("time", { datetime: t, title: `${d.toLocaleString()} ${zone(d)}` }, day + clock, " ", h("span", { class: "faint" }, ago(d)));
}

const zone = (d) => d.toLocaleTimeString(undefined, { timeZoneName: "short" }).split(" ").at(-1);

// linked shows words of the service with the names in them as links and times as times.
const names = /(\bevent [0-9a-f]{32}\b|\bjob [a-z0-9]{24}\b|^rule [a-z0-9-]+|\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;
export function linked(text) {
  const parts = String(text ?? "").split(names).map((part, i) => {
    const [kind, id] = part.split(" ");
    if (i % 2 === 0) return part;
    if (!id) return when(part);
    return [`${kind} `, { event: () => eventLink(id, id.slice(0, 10)), job: () => jobLink(id), rule: () => ruleLink(id) }[kind]()];
  });
  return String(text ?? "").length > long ? h("span", { class: "clip words", title: text }, parts) : parts;
}

function ago(d) {
  const s = (Date.now() - d) / 1000;
  const past = s >= 0;
  const n = Math.abs(s);
  if (n < 0.5) return "now";
  const text = n < 60 ? `${Math.round(n)} s` : n < 3600 ? `${Math.round(n / 60)} min` : n < 86400 ? `${Math.round(n / 3600)} h` : `${Math.round(n / 86400)} d`;
  return past ? `${text} ago` : `in ${text}`;
}

// Addresses of what has a page.
const address = (page, id) => `#/${page}/${encodeURIComponent(id)}`;
export const ruleLink = (id) => h("a", { href: address("rules", id) }, clip(id));
export const eventLink = (id, text) => h("a", { href: address("events", id) }, clip(text ?? id));
export const endpointLink = (server, sensor, host) => h("a", { href: address("endpoints", server && sensor ? `${server}/${sensor}` : host || sensor) }, clip(host || `${server ? `${server}/` : "sensor "}${sensor}`));
export const jobLink = (id) => h("a", { href: `#/jobs/${encodeURIComponent(id)}`, class: "mono job" }, id.slice(0, 10));
export const number = (n) => new Intl.NumberFormat().format(Math.round((n ?? 0) * 10) / 10);
export const bytes = (n) => n < 1024 ? `${n} B` : n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : n < 1 << 30 ? `${(n / (1 << 20)).toFixed(1)} MiB` : `${(n / (1 << 30)).toFixed(2)} GiB`;
export const json = (v) => h("pre", {}, JSON.stringify(v, null, 2));

// meter shows how much of a whole is used.
export function meter(used, whole) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [k, v] of Object.entries({ class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", role: "img", "aria-label": `${used} of ${whole}` })) svg.setAttribute(k, v);
  for (const [width, opacity] of [[100, ".2"], [Math.min(100, (100 * used) / Math.max(1, whole)), "1"]]) {
    const r = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [k, v] of Object.entries({ width, height: 6, fill: "currentColor", opacity })) r.setAttribute(k, v);
    svg.append(r);
  }
  return svg;
}

// pager leads through a long list; nothing when all of it is shown.
export function pager(offset, size, total, go, more = false) {
  if (total <= size) return null;
  return h("div", { class: "bar" },
    h("button", { disabled: offset === 0, onclick: () => go(Math.max(0, offset - size)) }, "Back"),
    h("span", { class: "faint" }, `${number(offset + 1)} to ${number(Math.min(offset + size, total))} of ${more ? `more than ${number(total - 1)}` : number(total)}`),
    h("button", { disabled: offset + size >= total, onclick: () => go(offset + size) }, "Further"));
}

// filter makes a search field that hides the rows of the page that do not hold its text.
export function filter(label) {
  return h("input", {
    type: "search", placeholder: label, "aria-label": label, oninput(e) {
      const want = e.target.value.toLowerCase();
      for (const row of e.target.closest("main").querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(want);
    },
  });
}
