"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const byId = (id) => document.getElementById(id);

  // Colours of the page, which the figures cannot know when they are written.
  function theme() {
    const css = getComputedStyle(document.documentElement);
    const [ink, page, line] = ["--ink", "--raised", "--line"].map((name) => css.getPropertyValue(name).trim());
    return {
      "font.color": ink, "hoverlabel.bgcolor": page, "hoverlabel.bordercolor": line, "hoverlabel.font.color": ink,
      "xaxis.gridcolor": line, "yaxis.gridcolor": line, "xaxis.linecolor": line, "yaxis.linecolor": line,
      "xaxis.tickcolor": line, "yaxis.tickcolor": line,
    };
  }

  function draw(box) {
    if (box.data) return;
    const figure = JSON.parse(box.querySelector("script").textContent);
    Plotly.newPlot(box, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: false });
    Plotly.relayout(box, theme());
  }

  // Plotly measures its box: figures of closed details are drawn when they open.
  function drawVisible() {
    for (const box of document.querySelectorAll(".figure")) if (box.offsetParent) draw(box);
  }

  const { networks, metrics } = JSON.parse(byId("axes").textContent);
  const scatter = document.querySelector("#pareto .figure");

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

  // Puts the chosen metrics on the axes and hides other networks, in the figure and the ranking.
  function choose() {
    const metric = (id) => metrics.find((each) => each.column === byId(id).value);
    const [x, y, network] = [metric("x"), metric("y"), byId("network").value];
    const shown = (row) => !network || networks[row] === network;
    const scope = [x.column, y.column].includes("accuracy") ? "all" : "workload";
    const traces = { x: [], y: [], visible: [], "line.shape": [] };
    for (const { meta } of scatter.data) {
      let rows = meta ? meta.rows : [];
      const any = rows.some(shown);
      if (meta && meta.front) rows = meta.front === scope ? front(rows.filter(shown), x, y) : [];
      const key = !meta || meta.key;
      traces.x.push(key ? [null] : rows.map((row) => (shown(row) ? x.values[row] : null)));
      traces.y.push(key ? [null] : rows.map((row) => (shown(row) ? y.values[row] : null)));
      traces.visible.push(!meta || any);
      traces["line.shape"].push(x.lower ? "hv" : "vh");
    }
    const layout = {};
    for (const [name, { title, log }] of [["xaxis", x], ["yaxis", y]]) {
      layout[`${name}.title.text`] = title;
      layout[`${name}.type`] = log ? "log" : "linear";
      layout[`${name}.autorange`] = true;
    }
    Plotly.update(scatter, traces, layout);
    for (const row of document.querySelectorAll(".filtered tbody tr")) {
      row.hidden = Boolean(network) && row.dataset.network !== network;
    }
  }

  function plain(text) {
    const lines = text.replaceAll("<br>", "\n").replaceAll(/<\/?b>/g, "");
    return lines.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  }

  drawVisible();
  const keep = (event) => {
    byId("picked").textContent = plain(event.points[0].hovertext);
  };
  scatter.on("plotly_click", keep);
  if (scatter.clientWidth < 600) {
    // A box with the full design would cover a phone's whole figure.
    Plotly.restyle(scatter, { hoverinfo: "none" });
    scatter.on("plotly_hover", keep);
  }
  for (const id of ["network", "x", "y"]) byId(id).addEventListener("change", choose);
  for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", drawVisible);
  dark.addEventListener("change", () => {
    for (const box of document.querySelectorAll(".figure")) if (box.data) Plotly.relayout(box, theme());
  });
})();
