// A WebSocket to the console or the screen of a domain, which is opened again after a reboot of the
// domain, a restart of xend, or a loss of the connection. It follows the domain's UUID.

const RETRY_MS = [1000, 2000, 5000, 10000];
// The codes with which the daemon closes it.
const CLOSED = 1000;
const FORBIDDEN = 1008;

// Opens the socket that `place` names, and calls `attach` with each socket. `state` says how it is,
// `leave` is the link to the domain's page.
export function keepConnected(place, state, leave, attach) {
  const { domain, uuid, page } = place.dataset;
  let failures = 0;

  // The domain in the list; undefined if it has gone. A connection to a domain that is off would
  // fail, and browsers log that as an error of the page.
  async function find() {
    const query = new URLSearchParams({ state: "all", q: `uuid:${uuid}` });
    const headers = { Accept: "application/json" };
    const answer = await fetch(`/xend/domain?${query}`, { headers });
    if (!answer.ok) throw answer.status;
    return (await answer.json()).find((one) => one.uuid === uuid);
  }

  // Opens the page under the domain's new name. Whether the name is another one.
  function hasMoved(name) {
    if (name === domain) return false;
    location.replace(`/xend/domain/${encodeURIComponent(name)}/${page}`);
    return true;
  }

  function showRemoval() {
    state.textContent = "The domain has been removed.";
    leave.href = "/xend/domain";
    leave.textContent = "All domains";
  }

  async function reconnect() {
    try {
      const found = await find();
      if (!found) return showRemoval();
      if (hasMoved(found.name)) return;
      if (found.domid !== null) return connect();
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

  document.addEventListener("renamed", async () => {
    const found = await find().catch(() => undefined);
    if (found) hasMoved(found.name);
  });
  connect();
}
