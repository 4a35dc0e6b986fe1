// What a page does beside showing itself: it follows what happens, and asks before data can be lost. Every page works without it.
// It makes nothing up: all that it shows is a page of the server's, or a part of one.
"use strict";

const body = document.body;
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
const get = (url) => fetch(url, { headers: { Accept: "text/html" } });
const list = () => document.getElementById("domains");
const row = (name, page = document) => [...page.querySelectorAll("tr[data-name]")].find((one) => one.dataset.name === name);

// Says what became of something, and takes it away again unless it is an error. While a dialog is open, nothing outside can be
// read or reached.
let said;
function say(text, failed = false) {
  said = { text, failed, at: Date.now() };
  const line = document.createElement("p");
  line.className = failed ? "message error" : "message";
  line.setAttribute("role", failed ? "alert" : "status");
  line.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => line.remove());
  if (failed && !dialog.open) line.append(" ", close);
  if (!failed) setTimeout(() => line.remove(), 6000);
  (dialog.open ? dialog : document.getElementById("toasts")).append(line);
}

// Goes where the page leads when what it is about has gone, and takes along what was just said. What is still being sent is
// waited for: its answer says why it has gone.
let sending = 0;
let gone = false;
function leave() {
  gone = true;
  if (sending) return;
  if (said && Date.now() - said.at < 3000) sessionStorage.setItem("said", JSON.stringify(said));
  location.assign(body.dataset.gone);
}

// Puts a part of a page that the server has drawn anew in the place of the old one. Focus and what was scrolled stay.
const reachable = "a[href], button, input, select, textarea, summary, [tabindex]";
const scrolling = (part) => [part, ...part.querySelectorAll("pre, .scroll")];
function replace(old, now) {
  const at = [...old.querySelectorAll(reachable)].indexOf(document.activeElement);
  const self = document.activeElement === old;
  const scrolled = scrolling(old).map((one) => [one.scrollTop, one.scrollLeft, one.scrollTop + one.clientHeight >= one.scrollHeight - 4]);
  old.replaceWith(now);
  dress(now);
  scrolling(now).forEach((one, n) => {
    if (!scrolled[n]) return;
    const [top, left, end] = scrolled[n];
    one.scrollTop = end && one.matches(".console") ? one.scrollHeight : top;
    one.scrollLeft = left;
  });
  if (self) now.focus();
  else if (at >= 0) {
    const places = [...now.querySelectorAll(reachable)];
    places[Math.min(at, places.length - 1)]?.focus();
  }
}

// The parts that the server draws anew, as it last had them. One in which somebody is at work is left alone.
const served = new Map();
for (const part of document.querySelectorAll("[data-live]")) served.set(part.id, part.outerHTML);
const busy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
  || part.dataset.live === "idle" && part.querySelector("details[open]")
  || !getSelection().isCollapsed && part.contains(getSelection().anchorNode);

function update(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const now = page.getElementById(part.id);
    if (!now || served.get(part.id) === now.outerHTML || busy(part)) continue;
    served.set(part.id, now.outerHTML);
    replace(part, now);
  }
  filter();
}

async function readPage() {
  const answer = await get(location.href);
  const page = parse(await answer.text());
  if (answer.ok) update(page);
  else if (answer.status === 404 && body.dataset.gone) leave();
}

// A row by itself, so that one domain's change does not draw a thousand others.
async function readRow(name) {
  const url = new URL(location.href);
  url.searchParams.set("name", name);
  const answer = await get(url);
  if (!answer.ok) throw answer.status;
  const page = parse(await answer.text());
  const [old, now] = [row(name), row(name, page)];
  if (!old !== !now) return readPage();
  served.delete("domains");
  if (old) replace(old, now);
  const counts = page.getElementById("states");
  served.set("states", counts.outerHTML);
  replace(document.getElementById("states"), counts);
  filter();
}

// What is to be read anew: the page, or some rows. One answer at a time, so that none overtakes another.
const wanted = { page: false, rows: new Set() };
let timer = 0;
let reading = false;
function soon(name) {
  if (name === undefined) wanted.page = true;
  else wanted.rows.add(name);
  if (!timer && !reading) timer = setTimeout(read, 120);
}
async function read() {
  timer = 0;
  reading = true;
  const names = [...wanted.rows];
  const page = wanted.page || names.length > 4;
  wanted.page = false;
  wanted.rows.clear();
  let pause = 250;
  try {
    if (page) await readPage();
    else for (const name of names) await readRow(name);
  } catch {
    // The server does not answer, or not as it should.
    wanted.page = true;
    pause = 2000;
  }
  reading = false;
  if (wanted.page || wanted.rows.size) timer = setTimeout(read, pause);
}

function figures(domains) {
  if (!list()) return soon();
  const by = new Map(domains.map((domain) => [domain.name, domain]));
  for (const one of document.querySelectorAll("tr[data-name]")) {
    const domain = by.get(one.dataset.name);
    const cpu = domain && one.querySelector("[data-cpu]");
    if (!cpu) continue;
    cpu.textContent = `${domain.cpu.toFixed(1)} %`;
    one.querySelector("[data-memory]").textContent = `${domain.memory} MiB`;
    one.querySelector("rect").setAttribute("width", Math.min(100, domain.cpu / (one.dataset.vcpus || 1)));
  }
}

// The stream of events, from the one on that the page has not seen. It rests while nobody looks: a browser keeps few connections
// to a server.
let stream;
let last;
const shown = document.querySelector(".link-state");
function state(text, lost) {
  shown.hidden = false;
  shown.textContent = text;
  shown.classList.toggle("lost", lost);
}
function told(event) {
  last = event.lastEventId;
  const { domain, kind } = JSON.parse(event.data).event;
  if (!list() || !domain) return soon();
  // What an operation did to a domain is told by itself.
  if (kind === "done" || kind === "failed") return;
  if (kind === "appeared" || kind === "gone" || kind === "renamed") return soon();
  if (kind === "state" || row(domain)) soon(domain);
}
function listen() {
  if (stream || !body.dataset.events || document.hidden) return;
  const url = new URL(body.dataset.events, location.href);
  if (last) url.searchParams.set("after", last);
  stream = new EventSource(url);
  stream.onopen = () => state("Live", false);
  stream.onerror = () => {
    state("Connecting…", true);
    if (stream?.readyState !== EventSource.CLOSED) return;
    // A browser gives up on some answers. This page does not; and what it is about may be what has gone.
    stream = undefined;
    soon();
    setTimeout(listen, 3000);
  };
  for (const kind of ["appeared", "gone", "state", "renamed", "configured", "progress", "done", "failed", "listening", "lost"]) {
    stream.addEventListener(kind, told);
  }
  stream.addEventListener("figures", (event) => figures(JSON.parse(event.data).figures.domain));
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = undefined;
  } else {
    soon();
    listen();
  }
});

// Forms that do something are sent without leaving the page.
async function send(form, button) {
  const data = new FormData(form, button);
  const url = button?.getAttribute("formaction") || form.getAttribute("action");
  sending += 1;
  button?.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { method: "POST", body: new URLSearchParams(data), headers: { Accept: "text/html" } });
    const page = parse(await answer.text());
    const result = page.querySelector("main[data-result]");
    const message = page.querySelector(".message") || page.querySelector("main") || page.body;
    if (answer.ok) {
      form.closest("details")?.removeAttribute("open");
      dialog.close();
    }
    if (answer.ok && result) ask(result, "Close");
    else say(message.textContent.trim() || answer.statusText, !answer.ok);
  } catch {
    say("The server does not answer. What became of it can be seen here as soon as it does.", true);
  }
  button?.removeAttribute("aria-busy");
  sending -= 1;
  if (gone) leave();
  else if (!list()) soon();
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-op]")) return;
  event.preventDefault();
  if (!event.submitter?.hasAttribute("aria-busy")) send(form, event.submitter);
});

// Asks in a dialog what a page of its own asks where there are no scripts; answers that are more than a word are shown in one.
const dialog = document.createElement("dialog");
body.append(dialog);
function ask(content, way) {
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = way;
  // Not the one that does it: a second press of Enter is soon made.
  close.autofocus = true;
  close.addEventListener("click", () => dialog.close());
  const title = content.querySelector("h1");
  if (title) title.id = "asked";
  dialog.setAttribute("aria-labelledby", title ? "asked" : "");
  dialog.replaceChildren(...content.childNodes, close);
  if (!dialog.open) dialog.showModal();
}
document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  try {
    const answer = await get(link.href);
    const page = parse(await answer.text());
    ask(page.querySelector("main") || page.body, answer.ok ? "Cancel" : "Close");
  } catch {
    location.assign(link.href);
  }
});

// Hides the rows that do not have what is typed; without scripts the server leaves them out.
const typed = document.querySelector("input[name=q]");
function filter() {
  if (!typed || !list()) return;
  const text = typed.value.trim().toLowerCase();
  const url = new URL(location.href);
  if (!text.includes((url.searchParams.get("q") || "").trim().toLowerCase())) {
    url.searchParams.delete("q");
    history.replaceState(null, "", url);
    soon();
  }
  const all = [...document.querySelectorAll("tr[data-name]")];
  for (const one of all) one.hidden = !one.dataset.name.toLowerCase().includes(text);
  const none = document.getElementById("none");
  if (none) none.hidden = all.some((one) => !one.hidden);
}
typed?.addEventListener("input", filter);

function since(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.max(0, Math.floor(seconds))} s`;
}
setInterval(() => {
  for (const cell of document.querySelectorAll("[data-since]")) cell.textContent = since(Date.now() / 1000 - cell.dataset.since);
}, 5000);

// What only a script can do: copying, and showing the end of a console.
async function copy(id) {
  const text = document.getElementById(id);
  try {
    await navigator.clipboard.writeText(text.textContent);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(text);
    say("Selected: press Ctrl+C to copy.");
  }
}
function dress(part) {
  for (const block of part.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(block.dataset.copy));
    block.prepend(button);
  }
  for (const end of part.querySelectorAll(".console")) end.scrollTop = end.scrollHeight;
}

dress(document);
filter();
listen();
const before = sessionStorage.getItem("said");
if (before) {
  sessionStorage.removeItem("said");
  const { text, failed } = JSON.parse(before);
  say(text, failed);
}
