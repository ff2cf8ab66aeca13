const AT_ONCE = 100;
const table = document.querySelector("#points table");
const columns = [
  { title: "Network", value: (row) => data.networks[row] },
  { title: "Design", value: (row) => data.labels[row] },
  ...data.metrics.map(({ title, values }) => ({ title, number: true, value: (row) => values[row] })),
  { title: "Front", value: (row) => (data.front[row] ? "★" : "") },
  { title: "Verified", value: (row) => data.verified[row] },
];
const order = { column: columns.findIndex(({ title }) => title.startsWith("EDP")), up: true, count: AT_ONCE };

function compare(a, b) {
  const { value, number } = columns[order.column];
  const [p, q] = [value(a), value(b)];
  if (p === null || q === null) return (p === null) - (q === null);
  return (order.up ? 1 : -1) * (number ? p - q : p < q ? -1 : p > q ? 1 : 0) || a - b;
}

function sortBy(column) {
  order.up = order.column === column ? !order.up : !(columns[column].title === "Front");
  order.column = column;
  fillTable(true);
}

function fillHead() {
  const row = element("tr");
  columns.forEach(({ title, number }, column) => {
    const head = element("th", "", number ? { class: "number" } : {});
    const button = element("button", title, { type: "button" });
    button.addEventListener("click", () => sortBy(column));
    head.append(button);
    row.append(head);
  });
  table.tHead.append(row);
}

function rowOf(row) {
  const line = element("tr", "", { "data-row": row });
  for (const { title, number, value } of columns) {
    const cell = element("td", number ? short(value(row)) : value(row), number ? { class: "number" } : {});
    if (title === "Design") {
      cell.textContent = "";
      const button = element("button", `${data.labels[row]}${row in data.details ? " ▤" : ""}`, { type: "button" });
      button.addEventListener("click", () => choose(row));
      cell.append(button);
    }
    line.append(cell);
  }
  return line;
}

function markRow() {
  for (const line of table.tBodies[0].rows) {
    const chosen = Number(line.dataset.row) === state.chosen;
    line.classList.toggle("chosen", chosen);
    line.querySelector("button").setAttribute("aria-pressed", chosen);
  }
}

// The shown rows in their order, some at a time.
function fillTable(fromTop) {
  if (fromTop) order.count = AT_ONCE;
  const rows = [...state.rows].sort(compare);
  table.tBodies[0].replaceChildren(...rows.slice(0, order.count).map(rowOf));
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    head.setAttribute("aria-sort", column !== order.column ? "none" : order.up ? "ascending" : "descending");
  });
  byId("more").hidden = rows.length <= order.count;
  byId("more").textContent = `Show more (${rows.length - order.count} left)`;
  markRow();
}

byId("more").addEventListener("click", () => {
  order.count += AT_ONCE;
  fillTable(false);
});
