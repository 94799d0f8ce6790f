// Small tools for making pages. Text always goes in as text: what an endpoint
// sent can never become markup.

// h makes an element: h("a", {href: "#/"}, "text", child, …).
export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("on")) el[name] = value;
    else if (value === true) el.setAttribute(name, "");
    else if (value !== false && value != null) el.setAttribute(name, value);
  }
  el.append(...children.flat().filter((c) => c != null && c !== false));
  return el;
}

// table makes a table that becomes a list of cards on a phone.
// columns: [{name, cell: (row) => node or text, num}]; key tells one row from another.
export function table(columns, rows, { empty = "Nothing here.", rowClass = () => "", key = () => null } = {}) {
  if (rows.length === 0) return h("div", { class: "card empty" }, empty);
  return h("div", { class: "scroll" }, h("table", { class: "stack" },
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col", class: c.num ? "num" : null }, c.label ?? c.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: rowClass(row), "data-key": key(row) }, columns.map((c) =>
      h("td", { "data-name": c.name, class: c.num ? "num" : null }, c.cell(row) || "")))))));
}

export const state = (s) => h("span", { class: `state ${s}` }, s);

// when shows a time as people say it, with the exact one as a hint.
export function when(t) {
  if (!t || t.startsWith("0001-")) return "";
  const d = new Date(t);
  return h("time", { datetime: t, title: `${d.toLocaleString()} ${zone(d)}` }, ago(d));
}

// moment shows a point in time by the clock of this browser, with its zone.
export function moment(t) {
  if (!t || t.startsWith("0001-")) return "";
  const d = new Date(t);
  return h("time", { datetime: t, title: `${ago(d)}, ${zone(d)}` }, d.toLocaleString());
}

const zone = (d) => d.toLocaleTimeString(undefined, { timeZoneName: "short" }).split(" ").at(-1);

function ago(d) {
  const s = (Date.now() - d) / 1000;
  const past = s >= 0;
  const n = Math.abs(s);
  const text = n < 60 ? `${Math.round(n)} s` : n < 3600 ? `${Math.round(n / 60)} min` : n < 86400 ? `${Math.round(n / 3600)} h` : `${Math.round(n / 86400)} d`;
  return past ? `${text} ago` : `in ${text}`;
}

export const jobLink = (id) => h("a", { href: `#/jobs/${encodeURIComponent(id)}`, class: "mono" }, id.slice(0, 10));
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
export function pager(offset, size, total, go) {
  if (total <= size) return null;
  return h("div", { class: "bar" },
    h("button", { disabled: offset === 0, onclick: () => go(Math.max(0, offset - size)) }, "Back"),
    h("span", { class: "faint" }, `${number(offset + 1)} to ${number(Math.min(offset + size, total))} of ${number(total)}`),
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
