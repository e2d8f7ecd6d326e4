// The page of a session that is starting: shows each step as the hub reports it, opens the session when it is
// ready, and shows the reason if it fails. Without this file the page reloads itself (see session.html).

const page = document.getElementById("launch");
const steps = document.getElementById("launch-steps");
const bar = document.getElementById("launch-bar");

// After a lost connection the hub sends every step again: each is listed once.
const listed = new Set([...steps.children].map((step) => step.textContent.trim()));

function wordsOf(event) {
  if (event.message) return event.message.trim();
  if (!event.html_message) return "";
  // Messages of a spawner may come as HTML: only their text is shown.
  return new DOMParser().parseFromString(event.html_message, "text/html").body.textContent.trim();
}

function addStep(words) {
  if (!words || listed.has(words)) return;
  listed.add(words);
  const step = document.createElement("li");
  step.textContent = words;
  steps.append(step);
}

function openSession(url) {
  // replace(): "back" leads to the portal, not to this page, which would send the user forward again.
  location.replace(url || page.dataset.sessionUrl);
}

function showFailure(words) {
  page.dataset.state = "failed";
  const title = document.getElementById("launch-title");
  title.textContent = title.dataset.failedWords;
  document.title = title.textContent;
  document.getElementById("launch-failed-text").textContent = words.replace(/^Spawn failed: /, "") || "No reason was given.";
  document.getElementById("launch-failed").hidden = false;
  document.getElementById("launch-again").hidden = false;
  showOffers();
  document.getElementById("launch-hint")?.remove();
  document.getElementById("launch-stop")?.remove();
  bar?.remove();
}

// The server knows the reason, which decides what is offered and linked, and the reference.
async function showOffers() {
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of ["launch-again", "launch-limits", "launch-reference"]) {
    const fresh = page.getElementById(id);
    if (fresh) document.getElementById(id).replaceChildren(...fresh.childNodes);
  }
}

function follow(url) {
  const events = new EventSource(url);
  events.onmessage = (message) => {
    const event = JSON.parse(message.data);
    // The hub's first event, "Server requested", has no progress; the page says that already.
    if (event.progress === 0) return;
    if (bar && Number.isFinite(event.progress)) bar.value = event.progress;
    if (event.ready) {
      events.close();
      if (bar) bar.value = 100;
      openSession(page.dataset.sessionUrl || event.url);
    } else if (event.failed) {
      events.close();
      showFailure(wordsOf(event));
    } else {
      addStep(wordsOf(event));
    }
  };
  events.onerror = () => {
    // Refused permanently: the start ended between this page and its stream.
    if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 2000);
  };
}

if ("ready" in page.dataset) {
  openSession();
} else if (page.dataset.state === "starting" && page.dataset.progressUrl) {
  follow(page.dataset.progressUrl);
} else if (page.dataset.state === "stopping") {
  setTimeout(() => location.reload(), 2000);
}
