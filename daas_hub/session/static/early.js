// Runs while desktop.js loads: opens the connection early, so that the screen appears sooner.

{
  // A page of the portal is at the session's address from now on; early.js of the session itself is there already.
  const { address, page } = document.documentElement.dataset;
  if (address) history.replaceState(null, "", address);

  // How many pixels of the desktop make one of the page: those of a sharp screen, if they are wanted.
  const ratio = () => (devicePixelRatio > 1 && localStorage.getItem("daas-sharp") === "1" ? Math.min(devicePixelRatio, 3) : 1);

  // The session sends the first picture at this size without further questions.
  const screenAddress = () => {
    const address = new URL("rfb", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const [width, height] = [innerWidth, innerHeight].map((length) => String(Math.floor(length * ratio())));
    address.search = new URLSearchParams({ width, height }).toString();
    return address.href;
  };

  // The first connection signs this browser in at its session: everything else waits for it.
  const first = new URL(screenAddress());
  if (address) first.searchParams.set("page", page);
  const socket = new WebSocket(first.href);
  socket.binaryType = "arraybuffer";
  const held = []; // the server sends first: its messages are kept for desktop.js
  socket.onmessage = (message) => held.push(message);
  const entered = address ? new Promise((resolve) => socket.addEventListener("open", resolve)) : Promise.resolve();
  if (address) {
    // It does not know this page, or it did not start: what is at its address has more to say.
    const reload = () => location.reload();
    socket.addEventListener("close", reload);
    const keep = () => socket.removeEventListener("close", reload);
    entered.then(keep);
    // Firefox closes it when somebody leaves the page.
    addEventListener("beforeunload", keep, { once: true });
  }
  window.daasScreen = { early: { socket, held }, address: screenAddress, entered };

  // noVNC first decodes a test video, to find out whether H.264 is available, and waits for it.
  // Xvnc never sends H.264, and this page has no other use for the decoder.
  delete window.VideoDecoder;
}
