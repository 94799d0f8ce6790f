// Searches whose query is in the address.
import { h } from "./dom.js";

// since is the time that many days ago, as the API takes it.
const since = (days) => new Date(Date.now() - Number(days) * 86400e3).toISOString();

// span is the time that an address asks for, as the API takes it: exact times, or the
// last days; standard is how many unless it says so.
export function span(query, standard) {
  const exact = Object.fromEntries(["since", "until"].map((n) => [n, query.get(n)]).filter(([, v]) => v));
  return Object.keys(exact).length ? exact : { since: since(query.get("days") || standard) };
}

// spanOf is what an address has to hold to ask for the same time.
export const spanOf = (query) => Object.fromEntries(["days", "since", "until"].map((n) => [n, query.get(n)]));

const choices = [["0.04", "last hour"], ["0.25", "last 6 hours"], ["1", "last day"], ["7", "last 7 days"], ["30", "last 30 days"]];

// periods are the fields to choose a time: how far back, or exact times. Their form has
// answers() read them.
export function periods(query, standard) {
  const exact = query.get("since") || query.get("until");
  const chosen = exact ? "exact" : query.get("days") || standard;
  const field = (name, label) => exact && h("input", { type: "datetime-local", step: 1, name, value: local(query.get(name)), "aria-label": label, title: `${label}, by the clock of this browser` });
  return [h("select", { name: "days", "aria-label": "Time", onchange: (e) => e.target.form.requestSubmit() },
    [...choices, ["exact", "exact times"]].map(([value, name]) => h("option", { value, selected: value === chosen }, name))),
    field("since", "From"), field("until", "To")].filter(Boolean);
}

// answers are the values of a form for its address. Times are those of UTC there, so that
// the address says the same everywhere. Who asks for exact times first sees the last hour's.
export function answers(form) {
  const { since: from, until, days, ...others } = Object.fromEntries(new FormData(form));
  if (days !== "exact") return { ...others, days, since: "", until: "" };
  const hours = from === undefined && { since: new Date(Math.floor(Date.now() / 60e3) * 60e3 - 3600e3), until: new Date(Math.ceil(Date.now() / 60e3) * 60e3) };
  const utc = (t) => (t ? new Date(t).toISOString().replace(".000", "") : "");
  return { ...others, days: "", since: utc(hours ? hours.since : from), until: utc(hours ? hours.until : until) };
}

// local is a time of the address as a field has it.
function local(t) {
  const d = new Date(t);
  return t && !Number.isNaN(d.valueOf()) ? new Date(d - d.getTimezoneOffset() * 60e3).toISOString().slice(0, 19) : "";
}

// to is the address of a page with a query; empty values are left out.
export const to = (path, values) => {
  const q = new URLSearchParams(Object.entries(values).filter(([, v]) => v !== "" && v != null && v !== 0));
  return `#${path}${q.size ? `?${q}` : ""}`;
};
