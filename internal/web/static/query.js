// Searches whose query is in the address.
import { h } from "./dom.js";

// since is the time that many days ago, as the API takes it.
export const since = (days) => new Date(Date.now() - Number(days) * 86400e3).toISOString();

const choices = [["0.04", "last hour"], ["0.25", "last 6 hours"], ["1", "last day"], ["7", "last 7 days"], ["30", "last 30 days"]];

// periods is a field to choose how far back.
export const periods = (chosen, onchange) => h("select", { name: "days", "aria-label": "How far back", onchange },
  choices.map(([value, name]) => h("option", { value, selected: value === chosen }, name)));

// to is the address of a page with a query; empty values are left out.
export const to = (path, values) => {
  const q = new URLSearchParams(Object.entries(values).filter(([, v]) => v !== "" && v != null && v !== 0));
  return `#${path}${q.size ? `?${q}` : ""}`;
};
