// Headings that sort the leaderboard, and rows that light up their model in the chart below.
{
  const table = document.getElementById("table-leaderboard");
  const heads = [...table.tHead.rows[0].cells];
  const number = (row, column) => {
    const value = row.cells[column].dataset.value;
    return value === undefined ? NaN : Number(value);
  };

  function sort(column) {
    const ascending = heads[column].getAttribute("aria-sort") !== "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => {
      if (column === 0) return a.cells[0].textContent.localeCompare(b.cells[0].textContent);
      const [x, y] = [number(a, column), number(b, column)];
      // What was not measured comes last, whichever way the column is sorted.
      if (isNaN(x) || isNaN(y)) return isNaN(x) - isNaN(y);
      return ascending ? x - y : y - x;
    });
    if (column === 0 && !ascending) rows.reverse();
    table.tBodies[0].append(...rows);
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
  });
  if (heads.length > 1) heads[1].setAttribute("aria-sort", "ascending");

  const charts = document.querySelector(".axes");
  for (const row of charts ? table.tBodies[0].rows : []) {
    const light = (on) => {
      charts.classList.toggle("dim", on);
      for (const mark of charts.querySelectorAll(`.m-${row.dataset.model}`)) mark.classList.toggle("lit", on);
    };
    row.addEventListener("mouseenter", () => light(true));
    row.addEventListener("mouseleave", () => light(false));
  }
}
