// What JupyterHub's application for administrators reads from `window`, its colours in dark mode, and people's names
// next to the hub's user names, which are opaque.

const page = document.documentElement.dataset;
window.base_url = page.hubUrl;
window.api_page_limit = parseInt(page.pageLimit);
window.jhdata = { base_url: page.hubUrl, prefix: page.prefix, user: page.user, admin_access: true, xsrf_token: page.xsrf };

const dark = matchMedia("(prefers-color-scheme: dark)");
function showColours() {
  page.bsTheme = dark.matches ? "dark" : "light";
}
dark.addEventListener("change", showColours);
showColours();

// --- names: taken from the responses that the application receives ---------------------------------------------------

const people = new Map();
const send = window.fetch;

window.fetch = async (...request) => {
  const response = await send(...request);
  if (response.ok && new URL(response.url).pathname.includes("/api/users")) {
    response.clone().json().then(learn, () => {});
  }
  return response;
};

function learn(content) {
  for (const user of content.items ?? [content].flat()) {
    if (user?.user_info?.display_name) people.set(user.name, user.user_info.display_name);
  }
  showNames();
}

// An attribute, which the style sheet shows: the cells themselves are the application's.
function showNames() {
  for (const cell of document.querySelectorAll('[data-testid^="user-name-div-"]')) {
    const name = people.get(cell.textContent.trim());
    if (name === cell.dataset.person) continue;
    if (name) cell.dataset.person = name;
    else delete cell.dataset.person;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const watched = { childList: true, subtree: true, characterData: true };
  new MutationObserver(showNames).observe(document.getElementById("react-admin-hook"), watched);
});
