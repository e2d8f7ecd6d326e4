// Runs while desktop.js loads: opens the connection early, so that the screen appears sooner.

{
  const address = new URL("rfb", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address.href);
  socket.binaryType = "arraybuffer";
  const held = []; // the server sends first: its messages are kept for desktop.js
  socket.onmessage = (message) => held.push(message);
  window.daasEarly = { socket, held };

  // noVNC first decodes a test video, to find out whether H.264 is available, and waits for it.
  // Xvnc never sends H.264, and this page has no other use for the decoder.
  delete window.VideoDecoder;
}
