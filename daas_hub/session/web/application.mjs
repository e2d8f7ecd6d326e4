// Polls the state of the application, and offers to restart it when it has ended.

import { Notices } from "./notices.mjs";
import { SessionEnd } from "./session_end.mjs";

const EVERY_MS = 2000;
const TIMEOUT_MS = 2500; // with EVERY_MS: people learn within five seconds that nothing answers

// A proxy that was just started knows no session either, and says so without the portal.
function isOfPortal(response) {
  return response.headers.has("X-JupyterHub-Version");
}

export class Application {
  #title;
  #onState;
  #focusScreen;
  #polling = false;
  #state = "";
  #end;
  #notices;
  #roundTrip = 0; // of the last question, in milliseconds
  #dialog = document.getElementById("ended");
  #again = [document.getElementById("again"), document.getElementById("again-tool")];

  constructor(title, onState, focusScreen) {
    this.#title = title;
    this.#end = new SessionEnd(focusScreen);
    this.#notices = new Notices(focusScreen);
    this.#onState = onState;
    this.#focusScreen = focusScreen;
    for (const button of this.#again) button.addEventListener("click", () => this.#startAgain());
    this.#dialog.addEventListener("close", focusScreen);
  }

  follow() {
    this.look();
    setInterval(() => document.hidden || this.look(), EVERY_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  async look() {
    if (this.#polling) return;
    this.#polling = true;
    const began = performance.now();
    const headers = this.#roundTrip ? { "X-Daas-Round-Trip": this.#roundTrip.toFixed(1) } : {};
    try {
      const response = await fetch("status", { headers, cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
      // a browser lets a page that is not seen wait
      this.#roundTrip = document.hidden ? 0 : performance.now() - began;
      // A session refuses; it redirects only pages. The portal redirects what has no session any more.
      if ([401, 403].includes(response.status)) this.#onState("signed-out");
      else if (response.type === "opaqueredirect") this.#onState("gone");
      else if ([404, 410, 424].includes(response.status)) this.#onState(isOfPortal(response) ? "gone" : "away");
      else if (response.ok) this.#show(await response.json());
      else this.#onState("away");
    } catch {
      this.#onState("silent");
    } finally {
      this.#polling = false;
    }
  }

  #show(status) {
    this.#onState(status.state, status.viewers);
    this.#end.show(status.end);
    this.#notices.show(status.notices);
    const ended = status.state === "ended";
    document.getElementById("again-tool").hidden = !ended;
    if (ended && this.#state !== "ended") this.#showEnded(status);
    if (!ended && this.#dialog.open) this.#dialog.close();
    this.#state = status.state;
  }

  #showEnded({ title, exit_code: code, last_output: lastOutput }) {
    this.#title = title || this.#title;
    const fault = code !== null && code !== 0;
    document.getElementById("ended-title").textContent = fault ? `${this.#title} exited with an error` : `${this.#title} was closed`;
    document.getElementById("ended-words").textContent = "The desktop is still running. Saved files are kept.";
    document.getElementById("ended-details").hidden = !fault || !lastOutput;
    document.getElementById("ended-last").textContent = lastOutput ?? "";
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    this.#dialog.showModal();
  }

  async #startAgain() {
    for (const button of this.#again) button.disabled = true;
    try {
      const response = await fetch("application", { method: "POST", headers: { "X-Daas-Request": "1" }, redirect: "manual" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.#state = "starting";
      document.getElementById("again-tool").hidden = true;
      this.#dialog.close();
      this.#focusScreen();
    } catch {
      document.getElementById("ended-words").textContent = `${this.#title} could not be restarted. Try again, or go back to the portal.`;
      if (!this.#dialog.open) this.#dialog.showModal();
    } finally {
      for (const button of this.#again) button.disabled = false;
    }
  }
}
