// One clipboard for the desktop and this computer. Where the browser permits it, text is synchronised both ways;
// otherwise (plain http, Firefox, no permission) through the panel.

// The X server takes MaxCutText bytes (xserver.py), and a letter may have four.
const MAX_LETTERS = 4_000_000;

export function shareClipboard(current) {
  const panel = document.getElementById("clipboard");
  const tool = document.getElementById("clipboard-tool");
  const text = document.getElementById("clipboard-text");
  const message = document.getElementById("clipboard-words");
  const share = document.getElementById("clipboard-share");
  const local = window.isSecureContext ? navigator.clipboard : undefined;
  let last = null; // the text that both sides have, which is not sent back

  // Returns why a text was not sent, or "".
  function send(value) {
    if (!current()) return "The desktop is not connected.";
    if (value.length > MAX_LETTERS) {
      const [has, most] = [value.length, MAX_LETTERS].map((number) => number.toLocaleString("en"));
      return `Not sent: the text has ${has} characters, and the desktop takes ${most}. Use a file instead.`;
    }
    if (value && value !== last) {
      last = value;
      current().clipboardPasteFrom(value);
    }
    return "";
  }

  async function permission() {
    try {
      return (await navigator.permissions.query({ name: "clipboard-read" })).state;
    } catch {
      return "unknown"; // a browser that prompts each time: read only when the user asks for it
    }
  }

  // The user returns from another window, and may have copied text there.
  async function readLocal() {
    if (!local?.readText || !document.hasFocus() || (await permission()) !== "granted") return;
    try {
      const refusal = send(await local.readText());
      if (!refusal || !current()) return;
      // nothing old is pasted in its place without a word
      message.textContent = refusal;
      panel.showModal();
    } catch {
      // The clipboard holds an image, or the page has lost the focus.
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
      tool.dataset.new = ""; // the panel shows it
    }
  }

  tool.addEventListener("click", async () => {
    delete tool.dataset.new;
    message.textContent = "";
    share.hidden = (await permission()) !== "prompt" || !local?.readText;
    panel.showModal();
    text.focus();
    text.select();
  });

  document.getElementById("clipboard-send").addEventListener("click", () => {
    last = null; // the button always sends
    message.textContent = send(text.value) || "Sent. Paste it in the desktop.";
  });

  document.getElementById("clipboard-copy").addEventListener("click", async () => {
    text.select();
    try {
      if (local?.writeText) await local.writeText(text.value);
      else if (!document.execCommand("copy")) throw new Error("refused");
      message.textContent = "Copied to this computer.";
    } catch {
      message.textContent = "The browser does not allow it. The text is selected: press Ctrl+C.";
    }
  });

  share.addEventListener("click", async () => {
    try {
      text.value = await local.readText(); // the browser prompts the user here
      share.hidden = true;
      message.textContent =
        send(text.value) || "Clipboard shared: text you copy on this computer can be pasted in the desktop.";
    } catch {
      message.textContent = "The browser does not allow it. Paste the text here instead.";
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
