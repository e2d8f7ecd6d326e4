// The desktop page: a screen that connects by itself, and reports when it cannot.
// Parts: screen.mjs (connection, size), frame.mjs (first painted frame), clipboard.mjs, keyboard.mjs, application.mjs
// (state of the program), tools.mjs.

import { Application } from "./application.mjs";
import { shareClipboard } from "./clipboard.mjs";
import { whenPainted } from "./frame.mjs";
import { offerKeyboard } from "./keyboard.mjs";
import { offerSharpness, openScreen } from "./screen.mjs";
import { prepareTools } from "./tools.mjs";

const PAUSES_S = [1, 2, 4, 8, 15];
const HANDSHAKE_S = 20; // timeout of a connection that is neither refused nor answered
const SILENT_MS = 4000; // a screen that nothing changes is silent, too: only together with an unanswered question

const title = document.documentElement.dataset.title;
const element = document.getElementById("screen");
const reconnectButton = document.getElementById("reconnect");
const signInButton = document.getElementById("sign-in");

let rfb = null;
let attempts = 0;
let retryTimer = 0;
let away = false; // whether the last question for the session's state did not reach it
let answered = false; // whether any has been answered

const words = {
  connecting: `Connecting to ${title} …`,
  connected: "Connected",
  reconnecting: "The connection was lost. Reconnecting …",
  starting: `${title} is starting …`,
  waiting: "The connection was lost.",
  frozen: "The connection does not respond. Trying again …",
  "signed-out": "You are no longer signed in.",
  gone: "This session is no longer running.",
};

const more = {
  reconnecting: "What you type now does not arrive.",
  waiting: "A lost connection does not end your application. What you type now does not arrive.",
  frozen: "A lost connection does not end your application. What you type now may not arrive.",
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

function connect() {
  clearTimeout(retryTimer);
  const connection = openScreen(element);
  rfb = connection;
  connection.scaleViewport = true;
  connection.resizeSession = true;
  connection.qualityLevel = 8;
  connection.background = "transparent";

  const givenUp = setTimeout(() => connection.disconnect(), HANDSHAKE_S * 1000);
  let settled = 0;

  whenPainted(element.querySelector("canvas"), (moment) => {
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
  sharpness.follow(connection);
}

function retryLater() {
  const pause = PAUSES_S[Math.min(attempts, PAUSES_S.length - 1)];
  attempts += 1;
  showState(window.daasFirstFrame === undefined ? "connecting" : pause > 2 ? "waiting" : "reconnecting");
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, pause * 1000);
}

// The network is back: its old connection may take minutes to find out.
function renew() {
  const old = rfb;
  rfb = null;
  old?.disconnect();
  attempts = 0;
  retryNow();
}

function retryNow() {
  if (rfb) return;
  if (window.daasFirstFrame !== undefined) showState("reconnecting");
  connect();
}

// The session's state; "silent" if nothing answers, "away" if something on the way does. It matters only while the
// screen is not connected.
function onSessionState(answer, viewers) {
  const state = document.body.dataset.state;
  const wasAway = away;
  away = ["silent", "away"].includes(answer);
  if (answer === "silent") {
    if (rfb && state === "connected" && performance.now() - rfb.lastMessage > SILENT_MS) showState("frozen");
  }
  if (away) return;
  const isFirst = !answered;
  answered = true;
  if (isFirst && answer === "signed-out" && rfb && document.documentElement.dataset.address) {
    // The cookie that came with the screen was not kept, as some browsers may do: the session's own page signs in.
    location.reload();
    return;
  }
  if (state === "frozen") {
    renew();
    return;
  }
  if (rfb && state === "connected") {
    // the others have left: the size is this window's again
    if (viewers === 1) rfb.fit();
    return;
  }
  if (answer === "signed-out" || answer === "gone") {
    clearTimeout(retryTimer);
    showState(answer);
  } else if (wasAway || ["signed-out", "gone"].includes(document.body.dataset.state)) {
    retryNow(); // the way is open again; signed in again in another tab, or started again
  } else if (answer === "starting" && window.daasFirstFrame === undefined) {
    showState("starting");
  }
}

const clipboard = document.documentElement.dataset.clipboard === "1" ? shareClipboard(() => rfb) : null;
const sharpness = offerSharpness(() => rfb);
const application = new Application(title, onSessionState, () => rfb?.focus({ preventScroll: true }));

connect();
window.daasScreen.entered.then(() => application.follow());
prepareTools(() => rfb);
offerKeyboard(() => rfb);

reconnectButton.addEventListener("click", () => {
  attempts = 0;
  retryNow();
});
// The page redirects through the login and back.
signInButton.addEventListener("click", () => location.reload());
addEventListener("online", retryNow);
// whoever uses a desktop that several windows show gives it the size of theirs
addEventListener("focus", () => rfb?.fit());
element.addEventListener("pointerdown", () => rfb?.fit(), { capture: true });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) rfb?.fit();
  if (!document.hidden && ["waiting", "reconnecting"].includes(document.body.dataset.state)) retryNow();
});
