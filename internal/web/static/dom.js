// Small tools for making pages. Text always goes in as text: what an endpoint
// sent can never become markup.

// h makes an element: h("a", {href: "#/"}, "text", child, …).
export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attrs)) {
    if (name.startsWith("on")) el.addEventListener(name.slice(2), value);
    else if (value === true) el.setAttribute(name, "");
    else if (value !== false && value != null) el.setAttribute(name, value);
  }
  el.append(...children.flat().filter((c) => c != null && c !== false));
  return el;
}

// table makes a table that becomes a list of cards on a phone.
// columns: [{name, cell: (row) => node or text, num}]
export function table(columns, rows, { empty = "Nothing here.", rowClass = () => "" } = {}) {
  if (rows.length === 0) return h("div", { class: "card empty" }, empty);
  return h("div", { class: "scroll" }, h("table", { class: "stack" },
    h("thead", {}, h("tr", {}, columns.map((c) => h("th", { scope: "col" }, c.name)))),
    h("tbody", {}, rows.map((row) => h("tr", { class: rowClass(row) }, columns.map((c) =>
      h("td", { "data-name": c.name, class: c.num ? "num" : null }, c.cell(row) ?? "")))))));
}

export const state = (s) => h("span", { class: `state ${s}` }, s);

// when shows a time as people say it, with the exact one as a hint.
export function when(t) {
  if (!t || t.startsWith("0001-")) return "";
  const d = new Date(t);
  return h("time", { datetime: t, title: d.toLocaleString() }, ago(d));
}

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

// filter makes a search field that hides the rows of a list that do not hold its text.
export function filter(label, list) {
  return h("input", {
    type: "search", placeholder: label, "aria-label": label, oninput(e) {
      const want = e.target.value.toLowerCase();
      for (const row of list().querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(want);
    },
  });
}
