// The terminal on the page of a guest's console. Without this script, the page shows the end of the
// output.
import { Terminal } from "./xterm.mjs";
import { FitAddon } from "./addon-fit.mjs";
import { keepConnected } from "./reconnect.js";

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
  leave.focus();
  return false;
});

let socket;
const leave = document.getElementById("terminal-leave");
keepConnected(place, state, leave, (opened) => {
  socket = opened;
  // The daemon begins with the earlier output.
  socket.addEventListener("open", () => terminal.reset());
  socket.addEventListener("message", (event) => terminal.write(new Uint8Array(event.data)));
});

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
