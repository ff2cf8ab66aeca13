const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");

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

function ink() {
  return getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();
}

function draw(box, figure) {
  Plotly.newPlot(box, figure.data, figure.layout, { responsive: true, displaylogo: false, displayModeBar: false });
  Plotly.relayout(box, theme());
}

// An element with text, never HTML: names come from files of others.
function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// A table in a box of its own that scrolls; `numbers` are the columns that stand on the right.
function tableOf({ title, heads, rows, numbers }) {
  const kind = (column, text) => {
    if (numbers.includes(column)) return { class: "number" };
    return text.length > 60 ? { class: "prose" } : {};
  };
  const line = (cells, name) => {
    const row = element("tr");
    row.append(...cells.map((text, column) => element(name, text, kind(column, text))));
    return row;
  };
  const [head, body, table] = [element("thead"), element("tbody"), element("table")];
  head.append(line(heads, "th"));
  body.append(...rows.map((cells) => line(cells, "td")));
  table.append(head, body);
  const box = element("div", "", { class: "scroll", tabindex: "0", role: "region", "aria-label": title });
  box.append(table);
  return box;
}

const short = (value) => (value === null ? "n/a" : String(Number(value.toPrecision(4))));
