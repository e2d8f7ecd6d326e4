// The page of a launch that waits: opens the start when its turn has come, and offers a notification of the browser.
// The cards themselves are updated by portal.js.

const page = document.getElementById("waiting");
const list = document.getElementById("sessions");
const offer = document.getElementById("notify");
const words = document.getElementById("notify-words");

function notify(text) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const shown = new Notification(page.dataset.title, { body: text, tag: page.dataset.name });
  shown.onclick = () => {
    window.focus();
    shown.close();
  };
}

function showOffer() {
  if (!("Notification" in window)) return;
  offer.hidden = Notification.permission !== "default";
  if (Notification.permission === "granted") words.textContent = "This browser will notify you while this page is open.";
  if (Notification.permission === "denied") words.textContent = "This browser does not allow notifications of this site.";
}

offer.addEventListener("click", async () => {
  await Notification.requestPermission();
  showOffer();
});
showOffer();

// In the words of daas_hub/admission/line_words.py.
function isFirst() {
  return list.querySelector(".session-notice")?.textContent.includes("first in line") ?? false;
}

let next = isFirst();

new MutationObserver(() => {
  const card = list.querySelector(".session");
  if (card?.dataset.state === "waiting") {
    const [wasNext, isNext] = [next, isFirst()];
    next = isNext;
    if (isNext && !wasNext) notify("You are next in line.");
    return;
  }
  if (!card) {
    // left, here or in another browser
    location.replace(page.dataset.home);
    return;
  }
  if (card.dataset.state !== "failed") notify("It is your turn: the session is starting.");
  else notify("It did not start.");
  location.reload();
}).observe(list, { childList: true });
