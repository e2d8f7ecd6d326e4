// Loaded into configurable-http-proxy: refuses addresses that are not valid UTF-8, or contain a control character.
// The proxy itself would answer 500, and log a stack trace for each.

import http from "node:http";
import https from "node:https";

// Returns the status of a refusal; 0 if there is nothing to refuse.
function refusalOf(url) {
  try {
    return /[\u0000-\u001f\u007f]/.test(decodeURIComponent(url.split("?", 1)[0])) ? 404 : 0;
  } catch {
    return 400;
  }
}

for (const { prototype } of [http.Server, https.Server]) {
  const emit = prototype.emit;
  prototype.emit = function (event, request, answer, ...more) {
    const status = event === "request" || event === "upgrade" ? refusalOf(request.url) : 0;
    if (status && event === "request") {
      answer.writeHead(status, { "Content-Type": "text/plain", "X-Content-Type-Options": "nosniff" });
      answer.end("There is no such address.\n");
      return true;
    }
    if (status) {
      answer.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return true;
    }
    return emit.call(this, event, request, answer, ...more);
  };
}
