// The screen on the page of a guest's screen. Without this script, the page shows its address.
import RFB from "./novnc/core/rfb.js";
import { keepConnected } from "./reconnect.js";

// The keysyms and codes of the keys that leave the screen.
const SHIFT_KEYS = [
  [0xffe1, "ShiftLeft"],
  [0xffe2, "ShiftRight"],
];

const place = document.getElementById("screen");
const fit = document.getElementById("screen-fit");
for (const part of document.querySelectorAll("[data-screen]")) part.hidden = false;

let rfb;
const leave = document.getElementById("screen-leave");
keepConnected(place, document.getElementById("screen-state"), leave, (socket) => {
  rfb = new RFB(place, socket);
  rfb.scaleViewport = fit.checked;
  rfb.addEventListener("connect", () => rfb.focus());
});

// Every key belongs to the guest: without this one, nobody could leave the screen with a keyboard.
place.addEventListener(
  "keydown",
  (event) => {
    if (event.key !== "Escape" || !event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    // The guest will not see that it is let go.
    for (const [keysym, code] of SHIFT_KEYS) rfb.sendKey(keysym, code, false);
    leave.focus();
  },
  { capture: true },
);

document.getElementById("screen-keys").addEventListener("click", () => {
  rfb.sendCtrlAltDel();
  rfb.focus();
});
document.getElementById("screen-full").addEventListener("click", async () => {
  await place.requestFullscreen();
  rfb.focus();
});
fit.addEventListener("change", () => {
  rfb.scaleViewport = fit.checked;
});
