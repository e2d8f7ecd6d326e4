// The tools at the left edge: the handle opens them, and they close when they are not used.

const HIDE_AFTER_MS = 1500;

export function prepareTools(current) {
  const bar = document.getElementById("bar");
  const handle = document.getElementById("handle");
  const fullScreen = document.getElementById("full-screen");
  let timer = 0;

  function show(open) {
    clearTimeout(timer);
    bar.classList.toggle("open", open);
    handle.setAttribute("aria-expanded", String(open));
  }

  function hideSoon() {
    clearTimeout(timer);
    timer = setTimeout(() => bar.contains(document.activeElement) || show(false), HIDE_AFTER_MS);
  }

  handle.addEventListener("click", () => show(!bar.classList.contains("open")));
  bar.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideSoon());
  bar.addEventListener("pointerenter", () => clearTimeout(timer));
  bar.addEventListener("focusout", hideSoon);
  bar.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    show(false);
    current()?.focus({ preventScroll: true });
  });
  // Close them after a click on the desktop or on one of the tools.
  document.getElementById("screen").addEventListener("pointerdown", () => show(false), { capture: true });
  document.getElementById("tools").addEventListener("click", (event) => event.target.closest("button") && show(false));

  offerWayOut(() => {
    show(true);
    handle.focus();
  });

  if (!document.fullscreenEnabled) {
    fullScreen.hidden = true;
    return;
  }
  fullScreen.addEventListener("click", async () => {
    if (document.fullscreenElement) {
      await document.exitFullscreen();
      return;
    }
    await document.documentElement.requestFullscreen({ navigationUI: "hide" });
    // Escape belongs to the application then; holding it leaves the full screen. Not every browser has this.
    navigator.keyboard?.lock?.(["Escape"]).catch(() => {});
    current()?.focus({ preventScroll: true });
  });
  document.addEventListener("fullscreenchange", () => {
    const full = document.fullscreenElement !== null;
    fullScreen.setAttribute("aria-pressed", String(full));
    fullScreen.textContent = full ? "Leave full screen" : "Full screen";
  });
}

// The desktop takes every key, Tab too. Ctrl, Alt and Shift, pressed and released together, leave it.
function offerWayOut(leave) {
  const keys = ["Control", "Alt", "Shift"];
  let chord = false;
  const options = { capture: true };
  addEventListener("keydown", (event) => {
    chord = keys.includes(event.key) && event.ctrlKey && event.altKey && event.shiftKey;
  }, options);
  addEventListener("keyup", (event) => {
    // after the last one, so that none stays pressed in the desktop
    if (!chord || event.ctrlKey || event.altKey || event.shiftKey) return;
    chord = false;
    leave();
  }, options);
}
