// Follows the log: asks for the page again, and shows its lines. It comes after xend.js and uses its
// functions. Without it the page shows the lines that there were when it was opened.

const pause = 2000;
const log = document.getElementById("log");
const button = document.createElement("button");
let timer = 0;

async function read() {
  timer = 0;
  try {
    const answer = await get(location.href);
    const page = parse(await answer.text());
    const lines = page.getElementById("log");
    if (answer.ok && lines && lines.innerHTML !== log.innerHTML) {
      const isAtEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
      log.replaceChildren(...lines.childNodes);
      log.hidden = lines.hidden;
      if (isAtEnd) log.scrollTop = log.scrollHeight;
    }
  } catch {
    // The server does not answer: the next time it may.
  }
  schedule();
}

function schedule() {
  clearTimeout(timer);
  timer = 0;
  const isFollowing = button.getAttribute("aria-pressed") === "true";
  if (isFollowing && !document.hidden) timer = setTimeout(read, pause);
}

function follow(on) {
  button.setAttribute("aria-pressed", on);
  if (on) {
    log.scrollTop = log.scrollHeight;
    read();
  } else schedule();
}

log.scrollTop = log.scrollHeight;
if (log.hasAttribute("data-follow")) {
  button.type = "button";
  button.textContent = "Follow";
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => follow(button.getAttribute("aria-pressed") !== "true"));
  document.querySelector("form[role=search]").append(button);
  document.addEventListener("visibilitychange", schedule);
}
