// The portal's notices to whoever sits in this session. Each can be hidden in this window, and lab.js shows the same.

const KEPT = "daas-hidden-notices";

// A browser may give no storage, and another page of this origin may have written anything.
function readHidden() {
  try {
    return new Set([JSON.parse(sessionStorage.getItem(KEPT))].flat());
  } catch {
    return new Set();
  }
}

function keepHidden(keys) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify([...keys]));
  } catch {
    // hidden until the page is loaded again
  }
}

export class Notices {
  #list = document.getElementById("notices");
  #hidden = readHidden();
  #focusScreen;

  constructor(focusScreen) {
    this.#focusScreen = focusScreen;
  }

  show(notices) {
    // the page of a session of an earlier release
    if (!this.#list || !notices) return;
    const wanted = notices.filter((one) => !this.#hidden.has(one.key));
    for (const box of [...this.#list.children]) {
      if (!wanted.some((one) => one.key === box.dataset.key)) box.remove();
    }
    for (const one of wanted) {
      const box = [...this.#list.children].find((shown) => shown.dataset.key === one.key) ?? this.#add(one);
      const words = box.querySelector(".words");
      if (words.textContent !== one.words) words.textContent = one.words;
    }
  }

  #add(notice) {
    const box = document.createElement("div");
    box.className = `announcement ${notice.level}`;
    box.dataset.key = notice.key;
    const title = document.createElement("strong");
    title.textContent = notice.title;
    const words = document.createElement("p");
    words.className = "words";
    words.textContent = notice.words;
    const text = document.createElement("p");
    text.className = "typed";
    text.textContent = notice.text;
    const hide = document.createElement("button");
    hide.type = "button";
    hide.className = "quiet";
    hide.textContent = "Hide";
    hide.addEventListener("click", () => {
      this.#hidden.add(notice.key);
      keepHidden(this.#hidden);
      box.remove();
      this.#focusScreen();
    });
    box.append(title, words, text, hide);
    this.#list.append(box);
    return box;
  }
}
