async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function terms(list, pairs) {
  list.replaceChildren(...pairs.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
}

function addFigure(place, title, figure) {
  const box = element("div", "", { class: "figure", role: "img", "aria-label": title });
  place.append(element("h3", title), box);
  draw(box, figure);
}

// What there is of a point whose layers are not in the page.
function totalsOnly(row) {
  const { names, values, unit } = data.parts;
  const list = element("dl");
  terms(list, names.map((name, i) => [`${name} (${unit})`, short(values[row][i])]));
  const why = data.differing.includes(row) ? "This version of hwsim computes other figures for this point."
    : "The layers of this point are not in this page. To see them, save its design as design.yaml and run:";
  const command = `hwsim report NETWORK --design design.yaml\n\n# design.yaml\n${data.designs[row]}`;
  const parts = [element("h3", "Energy by component"), list, element("p", why)];
  if (!data.differing.includes(row)) parts.push(element("pre", command));
  return parts;
}

async function showChosen(row) {
  const place = byId("chosen-detail");
  byId("chosen-name").textContent = `${data.networks[row]}: ${data.labels[row]}`;
  terms(byId("chosen-totals"), data.metrics.map(({ title, values }) => [title, short(values[row])]));
  terms(byId("chosen-provenance"), [
    ["Design", data.hashes[row]], ["Workload", data.workloads[row]], ["Technology", data.technologies[row]],
    ["hwsim", data.made_by[row]], ["Verified", data.verified[row]],
  ]);
  if (!(row in data.details)) {
    place.replaceChildren(...totalsOnly(row));
    return;
  }
  const { energy, roofline, tables, assumptions } = await unpack(data.details[row]);
  if (state.chosen !== row) return;
  for (const box of place.querySelectorAll(".figure")) Plotly.purge(box);
  place.replaceChildren();
  addFigure(place, "Energy by layer and component", energy);
  addFigure(place, "Roofline", roofline);
  for (const each of tables) place.append(element("h3", each.title), tableOf(each));
  if (assumptions.length) {
    const list = element("ul");
    list.append(...assumptions.map((note) => element("li", note)));
    place.append(element("h3", "Assumptions"), list);
  }
}

drawPoints();
fillHead();
refresh();
showChosen(state.chosen);
for (const input of document.querySelectorAll("form select, form input")) input.addEventListener("input", refresh);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
dark.addEventListener("change", () => {
  for (const box of document.querySelectorAll(".figure")) if (box.data) Plotly.relayout(box, theme());
  if (lines) drawLines();
});
