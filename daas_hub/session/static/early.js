// Runs while desktop.js loads: opens the connection early, so that the screen appears sooner.

{
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

  const socket = new WebSocket(screenAddress());
  socket.binaryType = "arraybuffer";
  const held = []; // the server sends first: its messages are kept for desktop.js
  socket.onmessage = (message) => held.push(message);
  window.daasScreen = { early: { socket, held }, address: screenAddress };

  // noVNC first decodes a test video, to find out whether H.264 is available, and waits for it.
  // Xvnc never sends H.264, and this page has no other use for the decoder.
  delete window.VideoDecoder;
}
