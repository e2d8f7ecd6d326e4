// Asks the session's server every few seconds whether the application is there, and offers to start it again.

const EVERY_MS = 5000;

export class Application {
  #title;
  #tellScreen;
  #giveFocus;
  #asking = false;
  #state = "";
  #dialog = document.getElementById("ended");
  #again = [document.getElementById("again"), document.getElementById("again-tool")];

  constructor(title, tellScreen, giveFocus) {
    this.#title = title;
    this.#tellScreen = tellScreen;
    this.#giveFocus = giveFocus;
    for (const button of this.#again) button.addEventListener("click", () => this.#startAgain());
    this.#dialog.addEventListener("close", giveFocus);
  }

  follow() {
    this.look();
    setInterval(() => document.hidden || this.look(), EVERY_MS);
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  async look() {
    if (this.#asking) return;
    this.#asking = true;
    try {
      const response = await fetch("status", { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(10000) });
      // A redirect is the way to the login.
      if (response.type === "opaqueredirect" || [401, 403].includes(response.status)) this.#tellScreen("signed-out");
      else if ([404, 410, 424].includes(response.status)) this.#tellScreen("gone");
      else if (response.ok) this.#show(await response.json());
    } catch {
      // No network or no answer: the screen says so by itself when its own connection ends.
    } finally {
      this.#asking = false;
    }
  }

  #show(status) {
    this.#tellScreen(status.state);
    const ended = status.state === "ended";
    document.getElementById("again-tool").hidden = !ended;
    if (ended && this.#state !== "ended") this.#showEnded(status);
    if (!ended && this.#dialog.open) this.#dialog.close();
    this.#state = status.state;
  }

  #showEnded({ title, exit_code: code, last_output: lastOutput }) {
    this.#title = title || this.#title;
    const fault = code !== null && code !== 0;
    document.getElementById("ended-title").textContent = fault ? `${this.#title} ended with a fault` : `${this.#title} was closed`;
    document.getElementById("ended-words").textContent = "The desktop is still there. Files that were saved are kept.";
    document.getElementById("ended-details").hidden = !fault || !lastOutput;
    document.getElementById("ended-last").textContent = lastOutput ?? "";
    for (const other of document.querySelectorAll("dialog[open]")) other.close();
    this.#dialog.showModal();
  }

  async #startAgain() {
    for (const button of this.#again) button.disabled = true;
    try {
      const response = await fetch("application", { method: "POST", headers: { "X-Daas-Request": "1" }, redirect: "manual" });
      if (!response.ok) throw new Error(`answer ${response.status}`);
      this.#state = "starting";
      document.getElementById("again-tool").hidden = true;
      this.#dialog.close();
      this.#giveFocus();
    } catch {
      document.getElementById("ended-words").textContent = `${this.#title} could not be started again. Try once more, or go back to the portal.`;
      if (!this.#dialog.open) this.#dialog.showModal();
    } finally {
      for (const button of this.#again) button.disabled = false;
    }
  }
}
