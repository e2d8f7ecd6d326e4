// Loaded into configurable-http-proxy. It refuses addresses that are not valid UTF-8, or contain a control character
// (the proxy itself would answer 500, and log a stack trace for each), and keeps from sessions what belongs to a web
// server in front: the cookies of its own login, and the headers by which it proves to the hub who has signed in. While
// the hub is away, browsers get a page that comes back by itself, instead of two words, and send a launch or a stop again.

import fs from "node:fs";
import http from "node:http";
import https from "node:https";

// Returns the names that the hub's configuration adds (proxy_guard.py).
function configured(variable) {
  return (process.env[variable] ?? "").split(",").filter(Boolean);
}

const HEADERS = ["x-daas-subject", "x-daas-proof", ...configured("DAAS_GUARD_HEADERS")].map((name) => name.toLowerCase());
// Beginnings of names: Shibboleth, mod_auth_openidc, SimpleSAMLphp, mod_auth_mellon, mod_auth_cas.
const COOKIES = [
  "_shibsession_", "_shibsealed_", "_shibstate_", "_opensaml_req_", "mod_auth_openidc_", "SimpleSAML", "mellon-",
  "MOD_AUTH_CAS", ...configured("DAAS_GUARD_COOKIES"),
];

// The hub's own address for the sign-in of a web server.
const SIGN_IN = process.env.DAAS_GUARD_SIGN_IN || "/hub/proxy_login";

const HUB = SIGN_IN.slice(0, SIGN_IN.lastIndexOf("/") + 1);
// Forms that do nothing more when they come twice: a launch has the name of its session.
const REPEATED = [/^launch$/, /^sessions\/[^/]+\/stop$/];
// Browsers follow 20 redirects. Together a little more than a minute, in which a hub starts again on a busy machine, too.
const TIMES = 18;
const AGAIN_MS = 4000;

// Returns the status of a refusal; 0 if there is nothing to refuse. The proxy takes "\" for "/" when it looks for a route,
// and web servers do not: the two would disagree on where a request goes.
function refusalOf(path) {
  try {
    if (path.includes("\\")) {
      return 400;
    }
    return /[\u0000-\u001f\u007f]/.test(decodeURIComponent(path)) ? 404 : 0;
  } catch {
    return 400;
  }
}

// Removes what is not for sessions, from a request whose address is valid.
function removePrivate(request, path) {
  const { headers } = request;
  // exactly: another spelling of the same address may lead elsewhere
  if (path !== SIGN_IN) {
    for (const name of HEADERS) {
      delete headers[name];
    }
  }
  if (headers.cookie) {
    const kept = headers.cookie.split(";").filter((one) => !COOKIES.some((begin) => one.trim().startsWith(begin)));
    if (kept.length) {
      headers.cookie = kept.join(";").trim();
    } else {
      delete headers.cookie;
    }
  }
}

const UNAVAILABLE = fs.readFileSync(new URL("proxy_unavailable.html", import.meta.url), "utf8");
const UNAVAILABLE_HEADERS = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Retry-After": "5",
};

// Returns whether a request is one of these forms.
function isRepeated({ method, url }) {
  const path = url.split("?", 1)[0];
  return method === "POST" && path.startsWith(HUB) && REPEATED.some((one) => one.test(path.slice(HUB.length)));
}

// Returns where a browser is to send its form again, with how often it has done so; "" after the last time.
function repetitionOf({ url }) {
  const [path, query] = url.split("?", 2);
  const times = Number(new URLSearchParams(query).get("again")) + 1;
  return times <= TIMES ? `${path}?again=${times}` : "";
}

// Shows the page where the proxy itself reports that nobody answered: a status without a type, and its name as the body.
// A hub or a session that answers 503 has a type, and keeps its own page. 404 is the answer of a proxy that has been
// restarted and has no routes yet, while the hub, which has the page for it, is away.
function explainAbsence(request, answer) {
  const isForm = isRepeated(request);
  if (!(isForm || request.method === "GET") || !(request.headers.accept ?? "").includes("text/html")) {
    return;
  }
  const { writeHead, write, end } = answer;
  answer.writeHead = function (status, ...more) {
    if (![404, 503].includes(status) || more.length || this.hasHeader("content-type")) {
      return writeHead.call(this, status, ...more);
    }
    const again = isForm && repetitionOf(request);
    if (again) {
      // 307: the same form; meanwhile the page with the button stays
      this.write = () => true;
      this.end = () => {
        setTimeout(() => {
          writeHead.call(this, 307, { Location: again, "Cache-Control": "no-store" });
          end.call(this);
        }, AGAIN_MS);
        return this;
      };
      return this;
    }
    this.write = (body, ...rest) => write.call(this, body === http.STATUS_CODES[status] ? UNAVAILABLE : body, ...rest);
    return writeHead.call(this, 503, UNAVAILABLE_HEADERS);
  };
}

for (const { prototype } of [http.Server, https.Server]) {
  const emit = prototype.emit;
  prototype.emit = function (event, request, answer, ...more) {
    if (event !== "request" && event !== "upgrade") {
      return emit.call(this, event, request, answer, ...more);
    }
    const path = request.url.split("?", 1)[0];
    const status = refusalOf(path);
    if (status && event === "request") {
      answer.writeHead(status, { "Content-Type": "text/plain", "X-Content-Type-Options": "nosniff" });
      answer.end("There is no such address.\n");
      return true;
    }
    if (status) {
      answer.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
      return true;
    }
    removePrivate(request, path);
    if (event === "request") {
      explainAbsence(request, answer);
    }
    return emit.call(this, event, request, answer, ...more);
  };
}
