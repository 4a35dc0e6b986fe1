// A WebSocket to the console or the screen of a domain, which is opened again after a reboot of the
// domain, a restart of xend, or a loss of the connection.

const RETRY_MS = [1000, 2000, 5000, 10000];
// The codes with which the daemon closes it.
const CLOSED = 1000;
const FORBIDDEN = 1008;

// Opens the socket that `place` names, and calls `attach` with each socket. `state` says how it is.
export function keepConnected(place, state, attach) {
  let failures = 0;

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
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    let wasOpen = false;
    socket.addEventListener("open", () => {
      wasOpen = true;
      failures = 0;
      state.textContent = "Connected";
    });
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
    attach(socket);
  }

  connect();
}
