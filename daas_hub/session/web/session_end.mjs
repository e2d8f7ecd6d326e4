// The announcement that the session ends soon, with the one click that keeps or extends it.

export class SessionEnd {
  #focusScreen;
  #box = document.getElementById("session-end");
  #words = document.getElementById("session-end-words");
  #action = document.getElementById("session-end-action");

  constructor(focusScreen) {
    this.#focusScreen = focusScreen;
    this.#action?.addEventListener("click", () => this.#act());
  }

  show(end) {
    if (!this.#box) return;
    this.#box.hidden = !end;
    if (!end) return;
    // a screen reader reads a text again when it is set, also to the same one
    if (this.#words.textContent !== end.words) this.#words.textContent = end.words;
    this.#action.textContent = end.action;
    this.#action.hidden = !end.action;
  }

  async #act() {
    this.#action.disabled = true;
    try {
      const response = await fetch("extension", { method: "POST", headers: { "X-Daas-Request": "1" }, redirect: "manual" });
      if (!response.ok) throw new Error(`status ${response.status}`);
      this.show((await response.json()).end);
      this.#focusScreen();
    } catch {
      this.#words.textContent = "The portal does not answer. Try again in a moment.";
    } finally {
      this.#action.disabled = false;
    }
  }
}
