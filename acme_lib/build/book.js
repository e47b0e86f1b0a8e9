// A result that would answer a prediction stays folded until the prediction is made, or the reader opens it.
document.addEventListener("acme-predicted", (event) => {
  const cells = [...document.querySelectorAll("div.cell, form.acme-predict")];
  for (const cell of cells.slice(cells.indexOf(event.target) + 1)) {
    if (cell.matches("form")) break;
    if (cell.matches(".tag_result")) cell.querySelectorAll("details").forEach((fold) => { fold.open = true; });
  }
});
