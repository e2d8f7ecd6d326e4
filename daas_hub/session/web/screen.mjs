// The screen: noVNC's connection, as large as this window, in its pixels or in the finer ones of a sharp screen.

import RFB from "@novnc/novnc";

export class Screen extends RFB {
  #ratio = 1;

  // How many pixels of the desktop make one of the page.
  set ratio(value) {
    this.#ratio = value;
    this._requestRemoteResize();
  }

  // Ask for this window's size again: another window of this session may have changed it.
  fit() {
    this._requestRemoteResize();
  }

  // noVNC (1.7) has no setting for this: it asks for the size of the page's element.
  _requestRemoteResize() {
    const size = this._screenSize();
    this._screenSize = () => ({ w: Math.floor(size.w * this.#ratio), h: Math.floor(size.h * this.#ratio) });
    try {
      super._requestRemoteResize();
    } finally {
      delete this._screenSize;
    }
  }
}

// A connection of which the last sign of life is known. early.js has opened the first one; the server's first messages
// may have arrived already.
export function openScreen(element) {
  const { early, address } = window.daasScreen;
  delete window.daasScreen.early;
  const usable = early && early.socket.readyState <= WebSocket.OPEN;
  const socket = usable ? early.socket : new WebSocket(address());
  socket.binaryType = "arraybuffer";
  const screen = new Screen(element, socket, { shared: true });
  screen.lastMessage = performance.now();
  socket.addEventListener("message", () => (screen.lastMessage = performance.now()));
  if (usable) for (const message of early.held) socket.onmessage(message);
  return screen;
}

// A finer picture on a sharp screen: four times the pixels, so it is offered, not forced.
export function offerSharpness(current) {
  const tool = document.getElementById("sharp-tool");
  const message = document.getElementById("sharp-words");
  const ratio = Math.min(window.devicePixelRatio, 3);
  if (ratio <= 1) return { follow() {} };
  let sharp = localStorage.getItem("daas-sharp") === "1";

  async function apply() {
    tool.setAttribute("aria-pressed", String(sharp));
    if (current()) current().ratio = sharp ? ratio : 1;
    await fetch("resolution", {
      method: "POST",
      headers: { "X-Daas-Request": "1", "Content-Type": "application/json" },
      body: JSON.stringify({ dpi: Math.round(96 * (sharp ? ratio : 1)) }),
      redirect: "manual",
    }).catch(() => {}); // the picture is sharp all the same
  }

  tool.hidden = false;
  tool.addEventListener("click", () => {
    sharp = !sharp;
    localStorage.setItem("daas-sharp", sharp ? "1" : "0");
    message.hidden = !sharp;
    apply();
  });
  return { follow: (connection) => connection.addEventListener("connect", () => (sharp ? apply() : undefined)) };
}
