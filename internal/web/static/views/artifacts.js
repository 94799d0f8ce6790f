import { get } from "../api.js";
import { filter, h } from "../dom.js";
import { artifactTable } from "./jobs.js";

const most = 500;

export async function artifacts({ me }) {
  const files = await get(`artifacts?limit=${most}`);
  const list = artifactTable(files, me);
  return [
    h("h1", {}, "Artifacts"),
    h("div", { class: "bar" }, filter("Search these files", () => list)),
    list,
    files.length === most && h("p", { class: "faint" }, `The newest ${most}. Older ones are on their job's page, and in pipeline artifacts list.`),
  ].filter(Boolean);
}
