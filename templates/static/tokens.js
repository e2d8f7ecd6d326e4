// The page of access tokens: requests and revokes them through the hub's REST API.

const form = document.getElementById("request-token-form");
const problem = document.getElementById("token-problem");

async function ask(method, url, body) {
  const answer = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", "X-XSRFToken": document.documentElement.dataset.xsrf },
    body: body && JSON.stringify(body),
  });
  const content = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(content.message || `The hub answered with status ${answer.status}.`);
  return content;
}

// Runs a button's action, and shows why it failed.
async function attempt(button, action) {
  button.disabled = true;
  problem.hidden = true;
  try {
    await action();
  } catch (error) {
    problem.firstElementChild.textContent = error.message;
    problem.hidden = false;
  } finally {
    button.disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(form.querySelector("button"), async () => {
    const scopes = document.getElementById("token-scopes").value.split(/[\s,]+/).filter(Boolean);
    const token = await ask("POST", form.dataset.tokensUrl, {
      note: document.getElementById("token-note").value || "Requested via token page",
      expires_in: parseInt(document.getElementById("token-expiration-seconds").value) || null,
      ...(scopes.length ? { scopes } : {}),
    });
    document.getElementById("token-result").textContent = token.token;
    document.getElementById("token-area").hidden = false;
  });
});

for (const button of document.querySelectorAll("[data-revoke]")) {
  const row = button.closest("tr");
  button.addEventListener("click", () =>
    attempt(button, async () => {
      await ask("DELETE", `${form.dataset.tokensUrl}/${encodeURIComponent(row.dataset.tokenId)}`);
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      // keep the keyboard focus in the list
      (next?.querySelector("[data-revoke]") ?? form.querySelector("input")).focus();
      document.getElementById("announcer").textContent = "Revoked";
    }),
  );
}
