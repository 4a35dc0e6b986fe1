// The terminal on the page of a guest's console. Without this script, the page shows the end of the
// output.
import { Terminal } from "./xterm.mjs";
import { FitAddon } from "./addon-fit.mjs";

// The page's policy allows no style elements and no style attributes, which xterm.js makes. Its
// rules go into constructed style sheets, its attributes into the properties that they stand for.
function allowStyles() {
  const createElement = document.createElement.bind(document);
  document.createElement = (name, options) => {
    if (name !== "style") return createElement(name, options);
    const element = createElement("template");
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    Object.defineProperty(element, "textContent", { set: (rules) => sheet.replaceSync(rules) });
    return element;
  };
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}

const LINES_KEPT = 5000;
const RETRY_MS = [1000, 2000, 5000, 10000];
// The codes with which the daemon closes a console.
const CLOSED = 1000;
const FORBIDDEN = 1008;

allowStyles();
const place = document.getElementById("terminal");
const state = document.getElementById("terminal-state");
const log = document.getElementById("console");
const style = getComputedStyle(log);
const terminal = new Terminal({
  cursorBlink: true,
  fontFamily: style.fontFamily,
  fontSize: parseFloat(style.fontSize),
  scrollback: LINES_KEPT,
  theme: { background: style.backgroundColor, foreground: style.color },
});
const fit = new FitAddon();
terminal.loadAddon(fit);
log.hidden = true;
log.removeAttribute("data-live");
for (const part of document.querySelectorAll("[data-terminal]")) part.hidden = false;
terminal.open(place);
new ResizeObserver(() => fit.fit()).observe(place);
fit.fit();
terminal.focus();

// Tab belongs to the guest: without another key, nobody could leave the terminal with a keyboard.
terminal.attachCustomKeyEventHandler((event) => {
  if (event.key !== "Escape" || !event.shiftKey) return true;
  document.getElementById("terminal-leave").focus();
  return false;
});

let socket;
let failures = 0;
let wasOpen = false;

// Whether the domain is on the host. A connection to one that is not would fail, and browsers log
// that as an error of the page.
async function isThere() {
  const { domain } = place.dataset;
  const query = new URLSearchParams({ q: domain });
  const headers = { Accept: "application/json" };
  const answer = await fetch(`/xend/domain?${query}`, { headers });
  return !answer.ok || (await answer.json()).some(({ name }) => name === domain);
}

async function reconnect() {
  try {
    if (await isThere()) return connect();
    state.textContent = "The domain is off. Waiting for it.";
  } catch {
    state.textContent = "xend does not answer. Trying again.";
  }
  retry();
}

function retry() {
  setTimeout(reconnect, RETRY_MS[Math.min(failures, RETRY_MS.length - 1)]);
  failures += 1;
}

function connect() {
  const url = new URL(place.dataset.socket, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  wasOpen = false;
  socket.addEventListener("open", () => {
    wasOpen = true;
    failures = 0;
    // The daemon begins with the earlier output.
    terminal.reset();
    state.textContent = "Connected";
  });
  socket.addEventListener("message", (event) => terminal.write(new Uint8Array(event.data)));
  socket.addEventListener("close", (event) => {
    if (event.code === FORBIDDEN) {
      state.textContent = event.reason;
      return;
    }
    if (event.code === CLOSED) state.textContent = "The domain is off. Waiting for it.";
    else if (wasOpen) state.textContent = "The connection is lost. Connecting again.";
    else state.textContent = "There is no connection. Trying again.";
    retry();
  });
}

const encoder = new TextEncoder();
// A message of more than 64 KiB closes the connection.
const PIECE = 16384;
function send(bytes) {
  if (socket.readyState !== WebSocket.OPEN) return;
  for (let at = 0; at < bytes.length; at += PIECE) socket.send(bytes.subarray(at, at + PIECE));
}
terminal.onData((text) => send(encoder.encode(text)));
terminal.onBinary((text) => send(Uint8Array.from(text, (letter) => letter.charCodeAt(0))));

document.getElementById("terminal-break").addEventListener("click", () => {
  send(Uint8Array.of(0x0f));
  terminal.focus();
});

connect();
