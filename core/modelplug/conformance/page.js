"use strict";
{
  const $ = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("tr.row")];
  const levels = [...$("level").options].map((option) => option.value);

  const filter = () => {
    const most = levels.indexOf($("level").value);
    for (const row of rows) {
      const above = levels.indexOf(row.dataset.level) > most;
      const lacks = (box) => $(box).checked && row.dataset[box] === undefined;
      row.hidden = above || lacks("bad") || lacks("changed");
    }
    for (const body of document.querySelectorAll("tbody")) {
      const some = [...body.rows].some((row) => row.matches(".row") && !row.hidden);
      body.hidden = !some;
    }
    $("nothing").hidden = rows.some((row) => !row.hidden);
  };
  for (const each of ["bad", "changed", "level"]) $(each).addEventListener("change", filter);
  filter();

  document.addEventListener("click", (event) => {
    const link = event.target.closest("td.cell a, .failed a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const shown = $(link.hash.slice(1)).cloneNode(true);
    shown.removeAttribute("id");
    $("shown").replaceChildren(shown);
    $("detail").showModal();
  });
  $("detail").addEventListener("click", (event) => {
    if (event.target === $("detail")) $("detail").close();
  });
  $("tools").hidden = false;
}
