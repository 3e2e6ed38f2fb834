// The filters of the error browser.
const cards = [...document.querySelectorAll(".cards li")];
const [model, actual, predicted, doubtful] = ["by-model", "by-true", "by-predicted", "by-label"].map(
  (id) => document.getElementById(id), // null where there is no error, or no doubtful label
);

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
  document.getElementById("errors-shown").textContent = `${count} of ${cards.length} images`;
}

for (const control of [model, actual, predicted, doubtful]) control?.addEventListener("change", filter);
document.getElementById("all-errors")?.addEventListener("click", () => {
  model.value = actual.value = predicted.value = "";
  if (doubtful) doubtful.checked = false;
  filter();
});
