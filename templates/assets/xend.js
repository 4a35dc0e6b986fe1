// Updates the page when something happens, sends forms without leaving the page, and asks before
// data is lost. Every page works without this script. It makes no content of its own: all that it
// shows is a page of the server's, or a part of one.
"use strict";

const body = document.body;
const parse = (text) => new DOMParser().parseFromString(text, "text/html");
const get = (url) => ask(url, { headers: { Accept: "text/html" } });
const domainList = () => document.getElementById("domains");
const domainRow = (name, page = document) =>
  [...page.querySelectorAll("tr[data-name]")].find((row) => row.dataset.name === name);

// Asks the server. A user who is not logged in any more gets the login page, which leads back here.
async function ask(url, request) {
  const answer = await fetch(url, request);
  if (answer.status === 401) location.assign(location.pathname + location.search);
  return answer;
}

// Shows a notice. An error stays until it is closed. While a dialog is open, notices are in it,
// since nothing outside of it can be read or reached.
const MAX_TOASTS = 4;
let lastNotice;
function notify(text, failed = false) {
  lastNotice = { text, failed, at: Date.now() };
  const notice = document.createElement("p");
  notice.className = failed ? "message error" : "message";
  notice.setAttribute("role", failed ? "alert" : "status");
  notice.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => notice.remove());
  if (failed && !dialog.open) notice.append(" ", close);
  if (!failed) setTimeout(() => notice.remove(), 6000);
  if (dialog.open) return dialog.append(notice);
  const toasts = document.getElementById("toasts");
  toasts.append(notice);
  while (toasts.children.length > MAX_TOASTS) toasts.firstElementChild.remove();
}

// Opens the parent page when this page is not found any more, and takes the last notice along.
// Waits for requests in flight, whose answers say why the page is gone, and for an open dialog.
let requestsInFlight = 0;
let isGone = false;
function openParent() {
  isGone = true;
  if (requestsInFlight || dialog.open) return;
  if (lastNotice && Date.now() - lastNotice.at < 3000) {
    sessionStorage.setItem("notice", JSON.stringify(lastNotice));
  }
  location.assign(body.dataset.parent);
}

// Replaces a part of the page, and keeps the focus and the scroll positions.
const focusable = "a[href], button, input, select, textarea, summary, [tabindex]";
const scrollable = (part) => [part, ...part.querySelectorAll("pre, .scroll")];
function replace(oldPart, newPart) {
  const focused = document.activeElement;
  const focusIndex = [...oldPart.querySelectorAll(focusable)].indexOf(focused);
  const hadFocus = focused === oldPart;
  const positions = scrollable(oldPart).map((block) => ({
    top: block.scrollTop,
    left: block.scrollLeft,
    atEnd: block.scrollTop + block.clientHeight >= block.scrollHeight - 4,
  }));
  oldPart.replaceWith(newPart);
  enhance(newPart);
  scrollable(newPart).forEach((block, index) => {
    const position = positions[index];
    if (!position) return;
    const followsEnd = position.atEnd && block.matches(".console");
    block.scrollTop = followsEnd ? block.scrollHeight : position.top;
    block.scrollLeft = position.left;
  });
  if (hadFocus) newPart.focus();
  else if (focusIndex >= 0) {
    const elements = [...newPart.querySelectorAll(focusable)];
    elements[Math.min(focusIndex, elements.length - 1)]?.focus();
  }
}

// The live parts of the page as the server last sent them. A part that a person is using is not
// replaced.
const served = new Map();
for (const part of document.querySelectorAll("[data-live]")) served.set(part.id, part.outerHTML);
function isInUse(part) {
  const focused = document.activeElement;
  const typed = "input:not([type=checkbox]), select, textarea";
  const hasInput = part.contains(focused) && focused.matches(typed);
  const isUnfolded = part.dataset.live === "idle" && part.querySelector("details[open]");
  const selection = getSelection();
  const isSelected = !selection.isCollapsed && part.contains(selection.anchorNode);
  return hasInput || isUnfolded || isSelected;
}

function update(page) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const newPart = page.getElementById(part.id);
    if (!newPart || served.get(part.id) === newPart.outerHTML || isInUse(part)) continue;
    served.set(part.id, newPart.outerHTML);
    replace(part, newPart);
  }
  document.dispatchEvent(new Event("updated"));
}

async function readPage() {
  // A console is not read: what it shows has a connection of its own.
  if (!document.querySelector("[data-live]")) return;
  const url = new URL(location.href);
  // A page of the list without the lines for scripts of 2006.
  if (domainList() && !url.searchParams.has("page")) url.searchParams.set("page", 1);
  const answer = await get(url);
  const page = parse(await answer.text());
  if (answer.ok) update(page);
  else if (answer.status === 404 && body.dataset.parent) openParent();
}

// Reads a single row, so that a change of one domain does not replace 1,000 rows.
async function readRow(name) {
  const url = new URL(location.href);
  url.searchParams.set("name", name);
  url.searchParams.set("page", 1);
  const answer = await get(url);
  if (!answer.ok) throw answer.status;
  const page = parse(await answer.text());
  const oldRow = domainRow(name);
  const newRow = domainRow(name, page);
  if (!oldRow !== !newRow) return readPage();
  served.delete("domains");
  if (oldRow) replace(oldRow, newRow);
  const counts = page.getElementById("states");
  served.set("states", counts.outerHTML);
  replace(document.getElementById("states"), counts);
  document.dispatchEvent(new Event("updated"));
}

// The page or the rows that have changed. They are read one after the other, so that no answer
// overtakes another.
const changed = { page: false, rows: new Set() };
let readTimer = 0;
let isReading = false;
function scheduleRead(name) {
  if (name === undefined) changed.page = true;
  else changed.rows.add(name);
  if (!readTimer && !isReading) readTimer = setTimeout(readChanged, 120);
}
async function readChanged() {
  readTimer = 0;
  isReading = true;
  const names = [...changed.rows];
  const wholePage = changed.page || names.length > 4;
  changed.page = false;
  changed.rows.clear();
  const began = performance.now();
  let pause = 250;
  try {
    if (wholePage) await readPage();
    else for (const name of names) await readRow(name);
  } catch {
    // The server does not answer, or answers with an error.
    changed.page = true;
    pause = 2000;
  }
  // On a busy host a page spends most of its time doing something else.
  pause = Math.max(pause, 4 * (performance.now() - began));
  isReading = false;
  if (changed.page || changed.rows.size) readTimer = setTimeout(readChanged, pause);
}

function showFigures(domains) {
  if (!domainList()) return scheduleRead();
  const byName = new Map(domains.map((domain) => [domain.name, domain]));
  for (const row of document.querySelectorAll("tr[data-name]")) {
    const domain = byName.get(row.dataset.name);
    const cpu = domain && row.querySelector("[data-cpu]");
    if (!cpu) continue;
    cpu.textContent = `${domain.cpu_percent.toFixed(1)} %`;
    row.querySelector("[data-memory]").textContent = `${domain.memory_mib} MiB`;
    const share = domain.cpu_percent / (row.dataset.vcpus || 1);
    row.querySelector("rect").setAttribute("width", Math.min(100, share));
  }
}

// The stream of events, from the first one that the page does not show. It is closed while the page
// is hidden: a browser has few connections to a server.
let stream;
let lastEventId;
const connectionState = document.querySelector(".link-state");
function showConnection(text, lost) {
  connectionState.hidden = false;
  connectionState.textContent = text;
  connectionState.classList.toggle("lost", lost);
}
function handleEvent(event) {
  lastEventId = event.lastEventId;
  const { domain, kind } = JSON.parse(event.data).event;
  if (kind === "renamed") document.dispatchEvent(new Event("renamed"));
  if (!domainList() || !domain) return scheduleRead();
  // The effect of an operation is an event of its own.
  if (kind === "done" || kind === "failed") return;
  if (kind === "appeared" || kind === "gone" || kind === "renamed") return scheduleRead();
  if (domainRow(domain)) scheduleRead(domain);
  // It can come to this page, and the counts are others.
  else if (kind === "state") scheduleRead();
}
const eventKinds = [
  "appeared", "gone", "state", "renamed", "configured", "guest", "progress", "done", "failed",
  "listening", "lost",
];
function connect() {
  if (stream || !body.dataset.events || document.hidden) return;
  const url = new URL(body.dataset.events, location.href);
  if (lastEventId) url.searchParams.set("after", lastEventId);
  stream = new EventSource(url);
  stream.onopen = () => showConnection("Live", false);
  stream.onerror = () => {
    showConnection("Connecting…", true);
    if (stream?.readyState !== EventSource.CLOSED) return;
    // After some answers a browser does not reconnect. The domain of this page may be gone.
    stream = undefined;
    scheduleRead();
    setTimeout(connect, 3000);
  };
  for (const kind of eventKinds) stream.addEventListener(kind, handleEvent);
  stream.addEventListener("figures", (event) => showFigures(JSON.parse(event.data).figures.domain));
}
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = undefined;
  } else {
    scheduleRead();
    connect();
  }
});

// Sends the form of an operation without leaving the page.
async function send(form, button) {
  const data = new FormData(form, button);
  const url = button?.getAttribute("formaction") || form.getAttribute("action");
  requestsInFlight += 1;
  button?.setAttribute("aria-busy", "true");
  try {
    const request = {
      method: "POST",
      body: new URLSearchParams(data),
      headers: { Accept: "text/html" },
    };
    const answer = await ask(url, request);
    const page = parse(await answer.text());
    const result = page.querySelector("main[data-result]");
    const message = page.querySelector(".message") || page.querySelector("main") || page.body;
    if (answer.ok) {
      form.closest("details")?.removeAttribute("open");
      for (const input of form.querySelectorAll("input[type=password]")) input.value = "";
      dialog.close();
    }
    if (answer.ok && result) showDialog(result, "Close");
    else notify(message.textContent.trim() || answer.statusText, !answer.ok);
  } catch {
    notify("The server does not respond. This page will show the result when it does.", true);
  }
  button?.removeAttribute("aria-busy");
  requestsInFlight -= 1;
  if (isGone) openParent();
  else if (!domainList()) scheduleRead();
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-op]")) return;
  event.preventDefault();
  if (!event.submitter?.hasAttribute("aria-busy")) send(form, event.submitter);
});

// Shows the content of another page in a dialog: a confirmation, or the result of an operation.
const dialog = document.createElement("dialog");
dialog.addEventListener("close", () => {
  if (isGone) openParent();
});
body.append(dialog);
function showDialog(content, closeLabel) {
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = closeLabel;
  // The focus is not on the button of the operation: Enter is easily pressed twice.
  close.autofocus = true;
  close.addEventListener("click", () => dialog.close());
  const title = content.querySelector("h1");
  if (title) title.id = "dialog-title";
  dialog.setAttribute("aria-labelledby", title ? "dialog-title" : "");
  dialog.replaceChildren(...content.childNodes, close);
  if (!dialog.open) dialog.showModal();
}
// Shows a page of the server in the dialog, or goes to it if it cannot be read.
async function openDialog(url) {
  try {
    const answer = await get(url);
    const page = parse(await answer.text());
    showDialog(page.querySelector("main") || page.body, answer.ok ? "Cancel" : "Close");
  } catch {
    location.assign(url);
  }
}
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  openDialog(link.href);
});

function uptime(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.max(0, Math.floor(seconds))} s`;
}
setInterval(() => {
  for (const cell of document.querySelectorAll("[data-since]")) {
    cell.textContent = uptime(Date.now() / 1000 - cell.dataset.since);
  }
}, 5000);

async function copy(id) {
  const text = document.getElementById(id);
  try {
    await navigator.clipboard.writeText(text.textContent.trim());
    notify("Copied.");
  } catch {
    getSelection().selectAllChildren(text);
    notify("Selected: press Ctrl+C to copy.");
  }
}

// Adds what only a script can do: a button to copy, and scrolling to the end of a console.
function enhance(part) {
  for (const block of part.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", () => copy(block.dataset.copy));
    block.prepend(button);
  }
  for (const block of part.querySelectorAll(".console")) block.scrollTop = block.scrollHeight;
}

enhance(document);
connect();
const pendingNotice = sessionStorage.getItem("notice");
if (pendingNotice) {
  sessionStorage.removeItem("notice");
  const { text, failed } = JSON.parse(pendingNotice);
  notify(text, failed);
}
