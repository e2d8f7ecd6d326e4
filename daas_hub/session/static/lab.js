// In the pages of a notebook session: reports keys and the pointer, which the server does not see, and shows what is
// announced: notices of the portal (as web/notices.mjs does on desktops), and the session's end.
(() => {
  "use strict";
  const REPORT_EVERY_MS = 15_000;
  const LOOK_EVERY_MS = 20_000;
  const folder = new URL(".", document.currentScript.src);
  let reported = -Infinity;
  const KEPT = "daas-hidden-notices";
  const hidden = readHidden();
  const list = document.createElement("div");
  let shown = "";

  const xsrf = () => document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "";
  // JupyterHub wants the token of a script's GET as well
  const send = (method, name) =>
    fetch(new URL(name, folder), { method, headers: { "X-XSRFToken": xsrf() }, cache: "no-store", redirect: "manual" });

  function used(event) {
    if (!event.isTrusted || performance.now() - reported < REPORT_EVERY_MS) return;
    reported = performance.now();
    send("POST", "use").then(() => list.childElementCount && look(), () => {}); // the next key reports again
  }

  // A browser may give no storage, and another page of this origin may have written anything.
  function readHidden() {
    try {
      return new Set([JSON.parse(sessionStorage.getItem(KEPT))].flat());
    } catch {
      return new Set();
    }
  }

  function hide(key) {
    hidden.add(key);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify([...hidden]));
    } catch {
      // hidden until the page is loaded again
    }
  }

  list.id = "daas-announcements";
  list.setAttribute("role", "status");
  Object.assign(list.style, {
    position: "fixed", zIndex: 10000, right: "1rem", bottom: "2rem", display: "grid", gap: "0.75rem", maxWidth: "24rem",
    maxHeight: "calc(100vh - 4rem)", overflow: "auto", font: "14px/1.4 system-ui, sans-serif", color: "#1b1b1b",
  });

  function show({ end, notices }) {
    const wanted = (notices ?? []).filter((one) => !hidden.has(one.key));
    // a screen reader reads again what is set again
    if (JSON.stringify([end?.words, end?.action, wanted]) === shown) return;
    shown = JSON.stringify([end?.words, end?.action, wanted]);
    list.replaceChildren(...wanted.map(noticeBox), ...(end ? [endBox(end)] : []));
    document.body.append(list);
  }

  function boxOf(...texts) {
    const box = document.createElement("div");
    Object.assign(box.style, {
      padding: "0.75rem 1rem", background: "#fff7d6", border: "1px solid #b58900", borderRadius: "6px",
      boxShadow: "0 2px 8px rgb(0 0 0 / 25%)", overflowWrap: "anywhere",
    });
    for (const text of texts.filter(Boolean)) {
      const words = document.createElement("p");
      Object.assign(words.style, { margin: "0", whiteSpace: "pre-wrap" });
      words.textContent = text;
      box.append(words);
    }
    return box;
  }

  function addButton(box, words, press) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    Object.assign(button.style, { marginTop: "0.5rem", padding: "0.25rem 0.75rem", font: "inherit", cursor: "pointer" });
    button.addEventListener("click", () => press(button));
    box.append(button);
  }

  function endBox(end) {
    const box = boxOf(end.words);
    box.id = "daas-end";
    if (end.action) addButton(box, end.action, (button) => act(button, box.querySelector("p")));
    return box;
  }

  function noticeBox(notice) {
    const box = boxOf(notice.title, notice.words, notice.text);
    box.querySelector("p").style.fontWeight = "600";
    addButton(box, "Hide", () => {
      hide(notice.key);
      box.remove();
    });
    return box;
  }

  async function act(button, words) {
    button.disabled = true;
    try {
      const response = await send("POST", "end");
      if (!response.ok) throw new Error(`status ${response.status}`);
      shown = "";
      show(await response.json());
    } catch {
      shown = "";
      button.disabled = false;
      words.textContent = "The portal does not answer. Try again in a moment.";
    }
  }

  async function look() {
    try {
      const response = await send("GET", "end");
      if (response.ok) show(await response.json());
    } catch {
      // JupyterLab itself says that its server does not answer
    }
  }

  for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
    addEventListener(kind, used, { capture: true, passive: true });
  }
  addEventListener("load", look);
  setInterval(() => document.hidden || look(), LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || look());
})();
