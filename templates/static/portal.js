// Makes the portal's pages live: session cards that update by themselves, buttons that cannot be pressed twice,
// times in the user's own time zone. Every page works without this file.

const announcer = document.getElementById("announcer");

function announce(words) {
  if (announcer && words) announcer.textContent = words;
}

// --- the address after a refused launch ----------------------------------------------------------------------------

// The page was the answer to a form: a reload opens it afresh, and does not send the form again.
const { address } = document.documentElement.dataset;
if (address) history.replaceState(null, "", address);

// --- times -------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const whole = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "short" });

// The server formats a time in its own zone. A moment ("since 10:32") is formatted again for the user;
// other times keep the server's text and only get the full local time as a tooltip.
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    // A date without a time of day is left alone: it would move to the neighbouring day in some zones.
    if (!time.dateTime.includes("T") || Number.isNaN(moment.getTime())) continue;
    time.title = whole.format(moment);
    if ("moment" in time.dataset) {
      const today = moment.toDateString() === new Date().toDateString();
      time.textContent = (today ? clock : day).format(moment);
    }
  }
}

// --- the operators' notices ------------------------------------------------------------------------------------------

// In the words of daas_hub/notices/words.py.
function inWords(seconds) {
  for (const [length, slack, unit] of [[86400, 60, "day"], [3600, 60, "hour"], [60, 0, "minute"]]) {
    const count = Math.floor((seconds + slack) / length);
    if (count) return `in ${count} ${unit}${count === 1 ? "" : "s"}`;
  }
  return seconds > 0 ? "in less than a minute" : "now";
}

function countDown() {
  for (const time of document.querySelectorAll("[data-countdown]")) {
    const words = inWords((new Date(time.dataset.countdown).getTime() - Date.now()) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
}

setInterval(countDown, 5000);

function showNotices(html) {
  const list = document.getElementById("notices");
  if (!list) return;
  const incoming = document.createElement("template");
  incoming.innerHTML = html;
  localTimes(incoming.content);
  const key = (root) => [...root.querySelectorAll(".notice")].map((one) => one.dataset.key).join();
  if (key(incoming.content) === key(list)) return;
  const before = new Set([...list.querySelectorAll(".notice")].map((one) => one.dataset.key));
  const fresh = [...incoming.content.querySelectorAll(".notice")].filter((one) => !before.has(one.dataset.key));
  const hadFocus = list.contains(document.activeElement);
  list.replaceChildren(incoming.content);
  if (hadFocus) document.getElementById("main")?.focus({ preventScroll: true });
  countDown();
  announce(fresh.map((one) => one.dataset.words).join(". "));
}

// --- asking before a session is stopped -------------------------------------------------------------------------------

const stopDialog = document.getElementById("stop-dialog");

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!stopDialog || !("stop" in form.dataset)) return;
  event.preventDefault();
  const question = form.querySelector("template").content.cloneNode(true);
  localTimes(question);
  stopDialog.querySelector("div").replaceChildren(question);
  stopDialog.querySelector("form").action = form.action;
  stopDialog.dataset.of = form.dataset.stop;
  stopDialog.showModal();
});

// The list may have been updated meanwhile: its button is another one now.
stopDialog?.addEventListener("close", () => document.getElementById(`stop-${stopDialog.dataset.of}`)?.focus());

// --- forms: one click, one request ---------------------------------------------------------------------------------

document.addEventListener("submit", (event) => {
  const words = event.target.dataset.once;
  const button = event.submitter ?? event.target.querySelector("button");
  if (!words || !button || button.formMethod === "dialog") return;
  // The browser is leaving this page: updating its list would only slow it down.
  dispatchEvent(new Event("leaving"));
  // After the browser has collected the form; a disabled button also shows that the click was received.
  setTimeout(() => {
    button.dataset.words = button.innerHTML;
    button.textContent = words;
    button.disabled = true;
    announce(words);
  });
});

// The browser's "back" may bring back the page as it was left, with its buttons disabled.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const button of document.querySelectorAll("button[data-words]")) {
    button.innerHTML = button.dataset.words;
    button.disabled = false;
    delete button.dataset.words;
  }
});

// --- the menus of the header -------------------------------------------------------------------------------------------

const openMenus = () => document.querySelectorAll("details.menu-holder[open]");

document.addEventListener("click", (event) => {
  for (const menu of openMenus()) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of openMenus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// --- the part of the home page that is shown ---------------------------------------------------------------------------

function markRoom() {
  const rooms = [...document.querySelectorAll(".rooms a")].filter((room) => room.pathname === location.pathname);
  if (rooms.length === 0) return;
  for (const room of rooms) room.removeAttribute("aria-current");
  (rooms.find((room) => room.hash === location.hash) ?? rooms[0]).setAttribute("aria-current", "true");
}

addEventListener("hashchange", markRoom);
markRoom();

// --- live session cards ------------------------------------------------------------------------------------------------

function wordsOf(list) {
  return new Map([...list.querySelectorAll(".session")].map((card) => [card.id, card.dataset.words]));
}

// What a screen reader announces of an update: new and changed cards, and that some were removed.
function changes(before, after) {
  const changed = [...after].filter(([id, words]) => before.get(id) !== words).map(([, words]) => words);
  if ([...before.keys()].some((id) => !after.has(id))) changed.push("A session was removed from the list");
  return changed.join(". ");
}

function showSessions(list, html) {
  const incoming = document.createElement("template");
  incoming.innerHTML = html;
  const only = list.dataset.onlyProposal;
  if (only !== undefined) {
    // The stream carries all sessions of the person; a proposal's page shows its own.
    for (const card of incoming.content.querySelectorAll(".session")) {
      if (!card.dataset.proposals.split(" ").includes(only)) card.closest("li").remove();
    }
    const any = incoming.content.querySelector(".session") !== null;
    list.closest("section").classList.toggle("bare", !any);
  }
  localTimes(incoming.content);
  if (incoming.content.isEqualNode(asFragment(list))) return;

  const before = wordsOf(list);
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const focusedCard = focused?.closest(".session")?.id;
  list.replaceChildren(incoming.content);
  if (focused) {
    // Open or Stop may be gone in the new state: then the focus moves to its card, or else to the list.
    const target =
      document.getElementById(focused.id) ??
      document.getElementById(focusedCard)?.querySelector("a, button") ??
      list;
    if (target === list) list.tabIndex = -1;
    target.focus({ preventScroll: true });
  }
  announce(changes(before, wordsOf(list)));
}

function asFragment(list) {
  const fragment = document.createDocumentFragment();
  fragment.append(...[...list.childNodes].map((node) => node.cloneNode(true)));
  return fragment;
}

// The server sends something every five seconds (events.py). A network that swallows packets closes no connection:
// only the silence shows it.
const SILENT_MS = 12000;

function follow(list) {
  const stale = document.createElement("p");
  stale.className = "notice stale";
  stale.setAttribute("role", "status");
  list.before(stale);
  let events = null;
  let heard = 0;
  let pause = 2000;

  function showStale(isStale) {
    stale.textContent = isStale ? "This list is not being updated: the portal does not respond. Trying again …" : "";
    stale.hidden = !isStale;
  }

  function hear() {
    heard = performance.now();
    pause = 2000;
    showStale(false);
  }

  function open() {
    events?.close();
    heard = performance.now();
    const opened = new EventSource(list.dataset.events);
    events = opened;
    opened.onopen = hear;
    opened.addEventListener("alive", hear);
    opened.addEventListener("notices", (event) => {
      hear();
      showNotices(JSON.parse(event.data).html);
    });
    opened.onmessage = (event) => {
      hear();
      showSessions(list, JSON.parse(event.data).html);
    };
    opened.onerror = () => {
      showStale(true);
      if (opened.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
      setTimeout(() => events === opened && open(), pause);
      pause = Math.min(pause * 2, 60000);
    };
  }

  setInterval(() => {
    if (!events || performance.now() - heard < SILENT_MS) return;
    showStale(true);
    if (events.readyState !== EventSource.CLOSED) open();
  }, 1000);

  // A page kept in the browser's history must not hold a connection.
  for (const end of ["pagehide", "leaving"]) {
    addEventListener(end, () => {
      events?.close();
      events = null;
    });
  }
  addEventListener("pageshow", (event) => event.persisted && open());
  showStale(false);
  open();
}

localTimes(document);
const sessions = document.getElementById("sessions");
if (sessions?.dataset.events) follow(sessions);
