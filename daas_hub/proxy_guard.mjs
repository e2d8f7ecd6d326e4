// Loaded into configurable-http-proxy: refuses addresses that are not valid UTF-8, or contain a control character.
// The proxy itself would answer 500, and log a stack trace for each.

import http from "node:http";
import https from "node:https";

function isPlain(url) {
  try {
    return !/[\u0000-\u001f\u007f]/.test(decodeURIComponent(url.split("?", 1)[0]));
  } catch {
    return false;
  }
}

for (const { prototype } of [http.Server, https.Server]) {
  const emit = prototype.emit;
  prototype.emit = function (event, request, answer, ...more) {
    if (event === "request" && !isPlain(request.url)) {
      answer.writeHead(400, { "Content-Type": "text/plain", "X-Content-Type-Options": "nosniff" });
      answer.end("The address is not valid.\n");
      return true;
    }
    if (event === "upgrade" && !isPlain(request.url)) {
      answer.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      return true;
    }
    return emit.call(this, event, request, answer, ...more);
  };
}
