// Runs while desktop.js is still on its way: begins the connection, so that the screen is there sooner.

{
  const address = new URL("rfb", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address.href);
  socket.binaryType = "arraybuffer";
  const held = []; // the server speaks first: what it says is kept for desktop.js
  socket.onmessage = (message) => held.push(message);
  window.daasEarly = { socket, held };

  // noVNC decodes a test film before anything else, to learn whether it may ask for H.264, and waits for it.
  // Xvnc never sends H.264, and this page has no other use for the decoder.
  delete window.VideoDecoder;
}
