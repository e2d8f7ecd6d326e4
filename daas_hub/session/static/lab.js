// In the pages of a notebook session: reports keys and the pointer, which the server does not see, and shows its end.
(() => {
  "use strict";
  const REPORT_EVERY_MS = 15_000;
  const LOOK_EVERY_MS = 20_000;
  const folder = new URL(".", document.currentScript.src);
  let reported = -Infinity;
  let notice = null;

  const xsrf = () => document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "";
  // JupyterHub wants the token of a script's GET as well
  const send = (method, name) =>
    fetch(new URL(name, folder), { method, headers: { "X-XSRFToken": xsrf() }, cache: "no-store", redirect: "manual" });

  function used(event) {
    if (!event.isTrusted || performance.now() - reported < REPORT_EVERY_MS) return;
    reported = performance.now();
    send("POST", "use").then(() => notice && look(), () => {}); // the next key reports again
  }

  function show(end) {
    notice?.remove();
    notice = null;
    if (!end) return;
    notice = document.createElement("div");
    notice.id = "daas-end";
    notice.setAttribute("role", "status");
    Object.assign(notice.style, {
      position: "fixed", zIndex: 10000, right: "1rem", bottom: "2rem", maxWidth: "24rem", padding: "0.75rem 1rem",
      font: "14px/1.4 system-ui, sans-serif", color: "#1b1b1b", background: "#fff7d6", border: "1px solid #b58900",
      borderRadius: "6px", boxShadow: "0 2px 8px rgb(0 0 0 / 25%)",
    });
    const words = document.createElement("p");
    words.style.margin = "0";
    words.textContent = end.words;
    notice.append(words);
    if (end.action) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = end.action;
      Object.assign(button.style, { marginTop: "0.5rem", padding: "0.25rem 0.75rem", font: "inherit", cursor: "pointer" });
      button.addEventListener("click", () => act(button, words));
      notice.append(button);
    }
    document.body.append(notice);
  }

  async function act(button, words) {
    button.disabled = true;
    try {
      const response = await send("POST", "end");
      if (!response.ok) throw new Error(`status ${response.status}`);
      show((await response.json()).end);
    } catch {
      button.disabled = false;
      words.textContent = "The portal does not answer. Try again in a moment.";
    }
  }

  async function look() {
    try {
      const response = await send("GET", "end");
      if (response.ok) show((await response.json()).end);
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
