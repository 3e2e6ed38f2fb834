// Filters of the error browser; a cell of a confusion matrix sets them.
{
  const cards = [...document.querySelectorAll(".cards li")];
  const model = document.getElementById("by-model");
  const actual = document.getElementById("by-true");
  const predicted = document.getElementById("by-predicted");
  const doubtful = document.getElementById("by-label"); // null where no label is known to be wrong
  const shown = document.getElementById("errors-shown");

  function isShown(card) {
    if (actual.value && card.dataset.true !== actual.value) return false;
    if (doubtful?.checked && !card.dataset.label) return false;
    const answers = [...card.querySelectorAll("dd[data-model]")];
    const wrong = answers.filter((answer) => answer.classList.contains("wrong"));
    if (model.value === "all" && wrong.length < answers.length) return false;
    const asked = wrong.filter((answer) => ["", "all", answer.dataset.model].includes(model.value));
    return asked.some((answer) => !predicted.value || answer.dataset.predicted === predicted.value);
  }

  function filter() {
    for (const card of cards) card.hidden = !isShown(card);
    const count = cards.filter((card) => !card.hidden).length;
    shown.textContent = `${count} of ${cards.length} images`;
  }

  function choose(values) {
    model.value = values.model ?? "";
    actual.value = values.true ?? "";
    predicted.value = values.predicted ?? "";
    if (doubtful) doubtful.checked = false;
    filter();
  }

  for (const control of [model, actual, predicted, doubtful]) control?.addEventListener("change", filter);
  document.getElementById("all-errors").addEventListener("click", () => choose({}));
  for (const cell of document.querySelectorAll(".matrix button"))
    cell.addEventListener("click", () => {
      choose(cell.dataset);
      shown.scrollIntoView({ block: "center" });
    });
  filter();
}
