const scatter = document.querySelector("#pareto .figure");
const lines = document.querySelector("#parallel .figure");
const metric = (column) => data.metrics.find((each) => each.column === column);
const state = { rows: [], front: [], chosen: data.first };
const hovertexts = [];
const texts = data.labels.map((label, row) =>
  [data.networks[row], label, data.verified[row], data.hashes[row], data.technologies[row]].join(" ").toLowerCase());

// Rows that no other beats in both metrics, by ascending x (as hwsim.plotting.pareto.front).
function front(rows, x, y) {
  const [sx, sy] = [x.lower ? 1 : -1, y.lower ? 1 : -1];
  const key = (row) => [sx * x.values[row], sy * y.values[row]];
  const known = rows.filter((row) => x.values[row] !== null && y.values[row] !== null);
  const sorted = known.sort((a, b) => key(a)[0] - key(b)[0] || key(a)[1] - key(b)[1]);
  let best = Infinity;
  const kept = [];
  for (const row of sorted) {
    if (key(row)[1] < best) {
      best = key(row)[1];
      kept.push(row);
    }
  }
  return sx === 1 ? kept : kept.reverse();
}

// The rows that network, words and limits leave.
function shownRows() {
  const network = byId("network").value;
  const words = byId("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const limits = [...document.querySelectorAll("#limits input")].filter((input) => input.value !== "")
    .map((input) => [metric(input.dataset.column).values, Number(input.value), input.dataset.end === "low" ? 1 : -1]);
  return data.labels.map((_, row) => row).filter((row) =>
    (!network || data.networks[row] === network)
    && words.every((word) => texts[row].includes(word))
    && limits.every(([values, end, sign]) => values[row] !== null && sign * (values[row] - end) >= 0));
}

// Puts the chosen metrics on the axes and hides other points.
function drawScatter() {
  const [x, y] = [metric(byId("x").value), metric(byId("y").value)];
  const shown = new Set(state.rows);
  const scope = [x.column, y.column].includes("accuracy") ? "all" : "workload";
  const traces = { x: [], y: [], visible: [], "line.shape": [] };
  state.front = [];
  for (const { meta } of scatter.data) {
    let rows = meta ? meta.rows : [];
    const any = !meta || meta.chosen || rows.some((row) => shown.has(row));
    if (meta && meta.chosen) rows = [state.chosen];
    if (meta && meta.front) {
      rows = meta.front === scope ? front(rows.filter((row) => shown.has(row)), x, y) : [];
      state.front.push(...rows);
    }
    const key = !meta || meta.key;
    traces.x.push(key ? [null] : rows.map((row) => (shown.has(row) ? x.values[row] : null)));
    traces.y.push(key ? [null] : rows.map((row) => (shown.has(row) ? y.values[row] : null)));
    traces.visible.push(any);
    traces["line.shape"].push(x.lower ? "hv" : "vh");
  }
  state.front.sort((a, b) => x.values[a] - x.values[b]);
  const layout = {};
  for (const [name, { title, log }] of [["xaxis", x], ["yaxis", y]]) {
    layout[`${name}.title.text`] = title;
    layout[`${name}.type`] = log ? "log" : "linear";
    layout[`${name}.autorange`] = true;
  }
  Plotly.update(scatter, traces, layout);
}

// Each row's places on the parallel axes, and which rows the traces draw now.
const across = { places: new Map(), width: 0, drawn: [] };

function prepareLines(figure) {
  across.width = figure.layout.xaxis.tickvals.length + 1;
  for (const { meta, y } of figure.data) {
    meta.rows.forEach((row, i) => across.places.set(row, y.slice(i * across.width, (i + 1) * across.width)));
  }
  figure.layout.width = Math.max(lines.parentElement.clientWidth - 2, 104 * across.width);
  figure.data.push({ mode: "lines", line: { width: 4 }, showlegend: false, hoverinfo: "skip", x: [], y: [] });
}

function drawLines() {
  const shown = new Set(state.rows);
  const axes = [...Array(across.width - 1).keys(), null];
  across.drawn = lines.data.map(({ meta }) => (meta ? meta.rows : [state.chosen]).filter((row) => shown.has(row)));
  Plotly.restyle(lines, {
    x: across.drawn.map((rows) => rows.flatMap(() => axes)),
    y: across.drawn.map((rows) => rows.flatMap((row) => across.places.get(row))),
  });
  Plotly.restyle(lines, { "line.color": ink() }, [lines.data.length - 1]);
}

// Everything again that depends on what is shown.
function refresh() {
  state.rows = shownRows();
  const all = data.labels.length;
  byId("count").textContent = state.rows.length < all ? `${state.rows.length} of ${all} points` : "";
  drawScatter();
  if (lines) drawLines();
  fillTable(true);
}

function plain(text) {
  const lines = text.replaceAll("<br>", "\n").replaceAll(/<\/?b>/g, "");
  return lines.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

function show(row) {
  byId("picked").textContent = plain(hovertexts[row]);
}

// Chooses a point, wherever it was pointed at.
function choose(row) {
  state.chosen = row;
  show(row);
  const link = element("a", "\nLayers, roofline, sources", { href: "#chosen" });
  byId("picked").append(link);
  drawScatter();
  if (lines) drawLines();
  markRow();
  showChosen(row);
}

function step(event) {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const points = event.currentTarget === scatter ? state.front : state.rows;
  if (!by || !points.length) return;
  event.preventDefault();
  const at = points.indexOf(state.chosen);
  choose(points[at < 0 ? 0 : (at + by + points.length) % points.length]);
}

function drawPoints() {
  const figure = JSON.parse(scatter.querySelector("script").textContent);
  for (const { meta, hovertext } of figure.data) {
    if (hovertext) meta.rows.forEach((row, i) => { hovertexts[row] = hovertext[i]; });
  }
  figure.data.push({
    x: [null], y: [null], mode: "markers", showlegend: false, hoverinfo: "skip", meta: { rows: [], chosen: true },
    marker: { size: 16, symbol: "circle-open", color: "#808791", line: { width: 3 } },
  });
  draw(scatter, figure);
  const row = ({ points: [{ data: { meta }, pointNumber }] }) => meta.rows[pointNumber];
  scatter.on("plotly_click", (event) => choose(row(event)));
  if (scatter.clientWidth < 600) {
    // A box with the full design would cover a phone's whole figure.
    Plotly.restyle(scatter, { hoverinfo: "none" }, figure.data.flatMap(({ hovertext }, i) => (hovertext ? [i] : [])));
    scatter.on("plotly_hover", (event) => show(row(event)));
  }
  scatter.addEventListener("keydown", step);
  if (!lines) return;
  const crossed = JSON.parse(lines.querySelector("script").textContent);
  prepareLines(crossed);
  draw(lines, crossed);
  lines.on("plotly_click", ({ points: [{ curveNumber, pointNumber }] }) =>
    choose(across.drawn[curveNumber][Math.floor(pointNumber / across.width)]));
  lines.addEventListener("keydown", step);
}
