// The list of domains: the filter as it is typed, selected rows, the choice of columns, keys. It
// comes after xend.js and uses its functions. The list works without it.
"use strict";

{
  const form = document.getElementById("filter");
  const input = form.elements.q;
  const bulk = document.getElementById("bulk");
  const rows = () => [...document.querySelectorAll("tr[data-name]")];
  const boxOf = (row) => row.querySelector(".pick input");

  // The filter. The server filters, so that it means the same with and without scripts.
  let shown = input.value;
  function filter() {
    const text = input.value.trim();
    if (text === shown.trim()) return;
    shown = text;
    const url = new URL(location.href);
    if (text) url.searchParams.set("q", text);
    else url.searchParams.delete("q");
    url.searchParams.delete("page");
    history.replaceState(null, "", url);
    scheduleRead();
  }
  input.addEventListener("input", filter);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
    document.querySelector("tr[data-name] th a")?.focus();
  });

  // Selected rows. Those that leave the page are not selected any more: what is done to domains is
  // done to domains that can be seen.
  const selected = new Set();
  function count() {
    const label = document.getElementById("selected");
    if (!label) return;
    const number = selected.size;
    label.textContent = number === 1 ? "1 domain selected" : `${number || "No"} domains selected`;
    bulk.querySelector("button").disabled = number === 0;
    const box = document.getElementById("all");
    if (!box) return;
    box.hidden = false;
    box.checked = number > 0 && number === rows().length;
    box.indeterminate = number > 0 && number < rows().length;
  }
  function mark(row, on) {
    boxOf(row).checked = on;
    if (on) selected.add(row.dataset.name);
    else selected.delete(row.dataset.name);
    row.classList.toggle("selected", on);
  }
  let last;
  document.addEventListener("click", (event) => {
    if (event.target.id === "all") {
      for (const row of rows()) mark(row, event.target.checked);
      count();
      return;
    }
    const row = event.target.matches(".pick input") && event.target.closest("tr[data-name]");
    if (!row) return;
    // With Shift all rows since the last one, as in lists of files.
    const list = rows();
    const from = list.findIndex((other) => other.dataset.name === last);
    const to = list.indexOf(row);
    const between =
      event.shiftKey && from >= 0 ? list.slice(Math.min(from, to), Math.max(from, to) + 1) : [row];
    const on = event.target.checked;
    for (const one of between) mark(one, on);
    last = row.dataset.name;
    count();
  });
  function restore() {
    if (!bulk) return;
    const names = new Set();
    for (const row of rows()) {
      names.add(row.dataset.name);
      mark(row, boxOf(row).checked || selected.has(row.dataset.name));
    }
    for (const name of selected) if (!names.has(name)) selected.delete(name);
    count();
  }
  bulk?.addEventListener("submit", (event) => {
    event.preventDefault();
    const url = new URL(bulk.action);
    url.search = new URLSearchParams(new FormData(bulk));
    openDialog(url);
  });

  // Columns. What is remembered is what differs from the usual.
  const columns = document.getElementById("columns");
  const boxes = [...columns.querySelectorAll("input")];
  function showColumns() {
    const differing = (on) =>
      boxes.filter((box) => box.checked === on && box.defaultChecked !== on);
    const words = (list) => list.map((box) => box.value).join(" ");
    document.documentElement.dataset.show = words(differing(true));
    document.documentElement.dataset.hide = words(differing(false));
  }
  columns.hidden = false;
  try {
    const remembered = JSON.parse(localStorage.getItem("columns")) || {};
    for (const box of boxes) box.checked = remembered[box.value] ?? box.defaultChecked;
  } catch {
    // What is remembered is damaged, or may not be read.
  }
  columns.addEventListener("change", () => {
    showColumns();
    const choice = Object.fromEntries(boxes.map((box) => [box.value, box.checked]));
    try {
      localStorage.setItem("columns", JSON.stringify(choice));
    } catch {
      // It may not be written: the choice holds as long as the page.
    }
  });
  document.addEventListener("click", (event) => {
    if (columns.open && !columns.contains(event.target)) columns.open = false;
  });

  // Keys.
  function move(step) {
    const links = rows().map((row) => row.querySelector("th a"));
    const current = document.activeElement.closest("tr[data-name]")?.querySelector("th a");
    const at = links.indexOf(current);
    const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step;
    const link = links[Math.max(0, Math.min(links.length - 1, next))];
    link?.focus();
    link?.closest("tr").scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.target === input && event.key === "Escape") {
      event.preventDefault();
      return input.blur();
    }
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) return;
    if (event.key === "/") input.focus();
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "x") event.target.closest("tr[data-name]")?.querySelector(".pick input").click();
    else if (event.key === "Escape") columns.open = false;
    else return;
    event.preventDefault();
  });
  document.getElementById("keys").hidden = false;

  document.addEventListener("updated", () => {
    const error = document.getElementById("filter-error").textContent;
    if (error) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    restore();
  });
  // The stream of a large host has no figures: its pages are read again.
  if (!document.body.dataset.events.includes("figures=1")) {
    setInterval(() => document.hidden || scheduleRead(), 5000);
  }
  showColumns();
  restore();
}
