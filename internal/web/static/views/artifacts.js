import { get } from "../api.js";
import { filter, h } from "../dom.js";
import { artifactTable } from "./jobs.js";

export async function artifacts() {
  const list = artifactTable(await get("artifacts"));
  return [h("h1", {}, "Artifacts"), h("div", { class: "bar" }, filter("Search these files", () => list)), list];
}
