// What a page does beside showing itself: it follows what happens, and asks before data can be lost. Every page works without it.
"use strict";

const body = document.body;
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
const asPage = { headers: { Accept: "text/html" } };

// Says what became of something, and takes it away again unless it is an error.
function say(text, failed) {
  const line = document.createElement("p");
  line.className = failed ? "message error" : "message";
  line.setAttribute("role", failed ? "alert" : "status");
  line.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => line.remove());
  if (failed) line.append(" ", close);
  else setTimeout(() => line.remove(), 6000);
  document.getElementById("toasts").append(line);
}

// Parts of the page that the server draws anew. Each is replaced where what the server says of it has changed, and left alone
// while somebody is at work in it.
const islands = new Map();
const served = (part) => part.outerHTML;
for (const part of document.querySelectorAll("[data-live]")) islands.set(part.id, served(part));
const busy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
  || (part.dataset.live === "idle" && part.querySelector("details[open]"));

function update(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = fresh.getElementById(part.id);
    if (!now || islands.get(part.id) === served(now) || busy(part)) continue;
    islands.set(part.id, served(now));
    const kept = document.activeElement;
    const name = part.contains(kept) && (kept.getAttribute("href") || kept.getAttribute("formaction") || kept.value);
    const end = part.scrollTop + part.clientHeight >= part.scrollHeight - 4;
    const at = part.scrollTop;
    part.replaceWith(now);
    dress(now);
    now.scrollTop = end ? now.scrollHeight : at;
    if (name) [...now.querySelectorAll("a, button")].find((one) => [one.getAttribute("href"), one.getAttribute("formaction"), one.value].includes(name))?.focus();
  }
}

let asking = false;
let again = false;
// Reads the page anew; one that is asked for meanwhile is read afterwards.
async function refresh(url = location.href) {
  if (asking) { again = true; return; }
  asking = true;
  try {
    const answer = await fetch(url, asPage);
    const fresh = parse(await answer.text());
    if (answer.ok) update(fresh);
    else if (answer.status === 404 && body.dataset.gone) location.assign(body.dataset.gone);
  } catch { /* The stream of events says when the server is there again. */ }
  asking = false;
  if (again) { again = false; soon(); }
}
let timer = 0;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
}

// A row of the list by itself, so that one domain's change does not draw a thousand others.
const changed = new Set();
let rowTimer = 0;
async function rows() {
  const names = [...changed];
  changed.clear();
  if (names.length > 4) return refresh();
  for (const name of names) {
    const url = new URL(location.href);
    url.searchParams.set("name", name);
    try {
      const fresh = parse(await (await fetch(url, asPage)).text());
      const now = [...fresh.querySelectorAll("tr[data-name]")].find((row) => row.dataset.name === name);
      const old = [...document.querySelectorAll("tr[data-name]")].find((row) => row.dataset.name === name);
      if (!now || !old) { refresh(); return; }
      islands.delete("domains");
      old.replaceWith(now);
      const counts = fresh.getElementById("states");
      document.getElementById("states").replaceWith(counts);
    } catch { return; }
  }
  filter();
}

function figures(domains) {
  if (!document.getElementById("domains")) return soon();
  const by = new Map(domains.map((domain) => [domain.name, domain]));
  for (const row of document.querySelectorAll("tr[data-name]")) {
    const domain = by.get(row.dataset.name);
    if (!domain) continue;
    const [cpu, memory] = [row.querySelector("[data-cpu]"), row.querySelector("[data-memory]")];
    if (cpu) cpu.textContent = domain.cpu.toFixed(1) + " %";
    if (memory) memory.textContent = domain.memory + " MiB";
    row.querySelector("rect")?.setAttribute("width", Math.min(100, domain.cpu / (row.dataset.vcpus || 1)));
  }
}

// The stream of events. It rests while nobody looks: a browser keeps few connections to a server.
let stream;
const shown = document.querySelector(".link-state");
function state(text, lost) {
  if (!shown) return;
  shown.hidden = false;
  shown.textContent = text;
  shown.classList.toggle("lost", lost);
}
function listen() {
  if (stream || !body.dataset.events || document.hidden) return;
  stream = new EventSource(body.dataset.events);
  stream.onopen = () => state("Live", false);
  stream.onerror = () => {
    state("Connecting…", true);
    // A browser gives up on some answers, and this page does not.
    if (stream?.readyState === EventSource.CLOSED) { stream = undefined; setTimeout(listen, 3000); }
  };
  const told = (event) => {
    const { domain, kind } = JSON.parse(event.data).event;
    if (kind === "done" || kind === "failed" && !domain) { if (!document.getElementById("domains")) soon(); return; }
    if (domain && document.getElementById("domains") && (kind === "state" || kind === "configured" || kind === "progress")) {
      changed.add(domain);
      clearTimeout(rowTimer);
      rowTimer = setTimeout(rows, 120);
    } else soon();
  };
  for (const kind of ["appeared", "gone", "state", "renamed", "configured", "progress", "done", "failed", "listening", "lost"]) stream.addEventListener(kind, told);
  stream.addEventListener("figures", (event) => figures(JSON.parse(event.data).figures.domain));
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { refresh(); listen(); } else { stream?.close(); stream = undefined; }
});

// Forms that do something are sent without leaving the page.
async function send(form, button) {
  const data = new FormData(form, button);
  const url = button?.getAttribute("formaction") || form.getAttribute("action");
  const multipart = form.enctype === "multipart/form-data";
  if (button) button.disabled = true;
  try {
    const answer = await fetch(url, { method: "POST", body: multipart ? data : new URLSearchParams(data), ...asPage });
    const page = parse(await answer.text());
    const message = page.querySelector(".message") || page.querySelector("main") || page.body;
    say(message.textContent.trim() || answer.statusText, !answer.ok);
    if (answer.ok) { form.closest("details")?.removeAttribute("open"); form.closest("dialog")?.close(); }
    if (answer.ok && page.querySelector("main[data-result]")) ask(page.querySelector("main"));
  } catch {
    say("The server does not answer. What became of it can be seen here as soon as it does.", true);
  }
  if (button) button.disabled = false;
  document.getElementById("domains") ? undefined : soon();
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-op]")) return;
  event.preventDefault();
  send(form, event.submitter);
});

// Asks in a dialog what a page of its own asks where there are no scripts; answers that are more than a word are shown in one.
const dialog = document.createElement("dialog");
body.append(dialog);
function ask(content) {
  const cancel = document.createElement("button");
  cancel.type = "button";
  cancel.textContent = "Close";
  cancel.addEventListener("click", () => dialog.close());
  const title = content.querySelector("h1, h2");
  if (title) { title.id = "asked"; dialog.setAttribute("aria-labelledby", "asked"); }
  dialog.replaceChildren(...content.childNodes, cancel);
  if (!dialog.open) dialog.showModal();
}
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const page = parse(await (await fetch(link.href, asPage)).text());
    ask(page.querySelector("main") || page.body);
  } catch { location.assign(link.href); }
});

// Hides the rows that do not have what is typed; without scripts the server leaves them out.
const typed = document.querySelector("input[name=q]");
function filter() {
  if (!typed) return;
  const wanted = typed.value.trim().toLowerCase();
  for (const row of document.querySelectorAll("tr[data-name]")) row.hidden = !row.dataset.name.toLowerCase().includes(wanted);
}
typed?.addEventListener("input", filter);

function since(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min` : `${Math.max(0, Math.floor(seconds))} s`;
}
setInterval(() => {
  for (const cell of document.querySelectorAll("[data-since]")) cell.textContent = since(Date.now() / 1000 - cell.dataset.since);
}, 5000);

// What only a script can do: copying.
function dress(part) {
  for (const block of part.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const text = document.getElementById(block.dataset.copy).textContent;
      try { await navigator.clipboard.writeText(text); say("Copied."); } catch {
        const range = document.createRange();
        range.selectNodeContents(document.getElementById(block.dataset.copy));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        say("Selected: press Ctrl+C to copy.");
      }
    });
    block.prepend(button);
  }
  const end = part.querySelector(".console");
  if (end) end.scrollTop = end.scrollHeight;
}

dress(document);
listen();
