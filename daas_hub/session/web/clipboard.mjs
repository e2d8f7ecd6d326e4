// One clipboard for the desktop and this computer. Where the browser permits it, text goes both ways by itself;
// elsewhere (plain http, Firefox, no permission) the panel carries it.

export function shareClipboard(current) {
  const panel = document.getElementById("clipboard");
  const tool = document.getElementById("clipboard-tool");
  const text = document.getElementById("clipboard-text");
  const told = document.getElementById("clipboard-words");
  const share = document.getElementById("clipboard-share");
  const local = window.isSecureContext ? navigator.clipboard : undefined;
  let last = null; // what both sides have: nothing is sent back to where it came from

  function send(value) {
    if (!value || value === last || !current()) return;
    last = value;
    current().clipboardPasteFrom(value);
  }

  async function permission() {
    try {
      return (await navigator.permissions.query({ name: "clipboard-read" })).state;
    } catch {
      return "unknown"; // a browser that asks the person each time: never read without a press there
    }
  }

  // The person came back from another window, perhaps with something copied there.
  async function readLocal() {
    if (!local?.readText || !document.hasFocus() || (await permission()) !== "granted") return;
    try {
      send(await local.readText());
    } catch {
      // An image on the clipboard, or the focus is gone again.
    }
  }

  async function receive(value) {
    if (!value || value === last) return;
    last = value;
    text.value = value;
    try {
      if (!local?.writeText) throw new Error("no clipboard");
      await local.writeText(value);
    } catch {
      tool.dataset.new = ""; // the panel has it
    }
  }

  tool.addEventListener("click", async () => {
    delete tool.dataset.new;
    told.textContent = "";
    share.hidden = (await permission()) !== "prompt" || !local?.readText;
    panel.showModal();
    text.focus();
    text.select();
  });

  document.getElementById("clipboard-send").addEventListener("click", () => {
    last = null; // a press always sends
    send(text.value);
    told.textContent = current() ? "Sent. Paste it in the desktop." : "There is no connection just now.";
  });

  document.getElementById("clipboard-copy").addEventListener("click", async () => {
    text.select();
    try {
      if (local?.writeText) await local.writeText(text.value);
      else if (!document.execCommand("copy")) throw new Error("refused");
      told.textContent = "Copied to this computer.";
    } catch {
      told.textContent = "The browser refused. The text is selected: press Ctrl+C.";
    }
  });

  share.addEventListener("click", async () => {
    try {
      text.value = await local.readText(); // the browser asks the person here
      send(text.value);
      share.hidden = true;
      told.textContent = "Shared from now on: what you copy on this computer can be pasted in the desktop.";
    } catch {
      told.textContent = "The browser refused. Paste the text here instead.";
    }
  });

  panel.addEventListener("close", () => current()?.focus({ preventScroll: true }));
  addEventListener("focus", readLocal);

  return {
    follow(connection) {
      connection.addEventListener("clipboard", (event) => receive(event.detail.text));
      connection.addEventListener("connect", readLocal);
    },
  };
}
