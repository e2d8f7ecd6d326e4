// The desktop page: a screen that connects by itself, and reports when it cannot.
// Parts: frame.mjs (first painted frame), clipboard.mjs, keyboard.mjs, application.mjs (state of the program), tools.mjs.

import RFB from "@novnc/novnc";

import { Application } from "./application.mjs";
import { shareClipboard } from "./clipboard.mjs";
import { whenPainted } from "./frame.mjs";
import { offerKeyboard } from "./keyboard.mjs";
import { prepareTools } from "./tools.mjs";

const PAUSES_S = [1, 2, 4, 8, 15];
const HANDSHAKE_S = 20; // timeout of a connection that is neither refused nor answered

const title = document.documentElement.dataset.title;
const screen = document.getElementById("screen");
const reconnectButton = document.getElementById("reconnect");
const signInButton = document.getElementById("sign-in");

let rfb = null;
let attempts = 0;
let retryTimer = 0;

const words = {
  connecting: `Connecting to ${title} …`,
  connected: "Connected",
  reconnecting: "The connection was lost. Reconnecting …",
  starting: `${title} is starting …`,
  waiting: "The connection was lost.",
  "signed-out": "You are no longer signed in.",
  gone: "This session is no longer running.",
};

const more = {
  waiting: "Your application keeps running.",
  "signed-out": "Your application keeps running. Sign in again to see it.",
  gone: "Saved files are kept. Launch the application again from the portal.",
};

function showState(state) {
  document.body.dataset.state = state === "starting" ? "connecting" : state;
  document.getElementById("state").textContent = words[state];
  if (state === "connected") return;
  document.getElementById("veil-words").textContent = words[state];
  const details = document.getElementById("veil-more");
  details.textContent = more[state] ?? "";
  details.hidden = !more[state];
  reconnectButton.hidden = !["waiting", "reconnecting"].includes(state);
  signInButton.hidden = state !== "signed-out";
}

// early.js has opened the first connection; the server's first messages may have arrived already.
function open() {
  const early = window.daasEarly;
  delete window.daasEarly;
  if (early && early.socket.readyState <= WebSocket.OPEN) {
    const connection = new RFB(screen, early.socket, { shared: true });
    for (const message of early.held) early.socket.onmessage(message);
    return connection;
  }
  const address = new URL("rfb", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  return new RFB(screen, address.href, { shared: true });
}

function connect() {
  clearTimeout(retryTimer);
  const connection = open();
  rfb = connection;
  connection.scaleViewport = true;
  connection.resizeSession = true;
  connection.qualityLevel = 8;
  connection.background = "transparent";

  const givenUp = setTimeout(() => connection.disconnect(), HANDSHAKE_S * 1000);
  let settled = 0;

  whenPainted(screen.querySelector("canvas"), (moment) => {
    showState("connected");
    if (window.daasFirstFrame !== undefined) return;
    window.daasFirstFrame = moment;
    document.documentElement.dataset.frame = "1";
  });

  connection.addEventListener("connect", () => {
    clearTimeout(givenUp);
    // Reset the back-off only after a connection that lasts.
    settled = setTimeout(() => (attempts = 0), 5000);
    if (!document.querySelector("dialog[open]")) connection.focus({ preventScroll: true });
  });

  connection.addEventListener("disconnect", () => {
    clearTimeout(givenUp);
    clearTimeout(settled);
    if (rfb !== connection) return;
    rfb = null;
    retryLater();
    application.look();
  });

  clipboard?.follow(connection);
}

function retryLater() {
  const pause = PAUSES_S[Math.min(attempts, PAUSES_S.length - 1)];
  attempts += 1;
  showState(window.daasFirstFrame === undefined ? "connecting" : pause > 2 ? "waiting" : "reconnecting");
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, pause * 1000);
}

function retryNow() {
  if (rfb) return;
  if (window.daasFirstFrame !== undefined) showState("reconnecting");
  connect();
}

// The session's state matters only while the screen is not connected.
function onSessionState(answer) {
  if (rfb && document.body.dataset.state === "connected") return;
  if (answer === "signed-out" || answer === "gone") {
    clearTimeout(retryTimer);
    showState(answer);
  } else if (["signed-out", "gone"].includes(document.body.dataset.state)) {
    retryNow(); // signed in again in another tab, or started again
  } else if (answer === "starting" && window.daasFirstFrame === undefined) {
    showState("starting");
  }
}

const clipboard = document.documentElement.dataset.clipboard === "1" ? shareClipboard(() => rfb) : null;
const application = new Application(title, onSessionState, () => rfb?.focus({ preventScroll: true }));

connect();
application.follow();
prepareTools(() => rfb);
offerKeyboard(() => rfb);

reconnectButton.addEventListener("click", () => {
  attempts = 0;
  retryNow();
});
// The page redirects through the login and back.
signInButton.addEventListener("click", () => location.reload());
addEventListener("online", retryNow);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && ["waiting", "reconnecting"].includes(document.body.dataset.state)) retryNow();
});
