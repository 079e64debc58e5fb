const API = "http://localhost:5000";
const find = (selector) => document.querySelector(selector);
const say = (text) => (find("[role=status]").textContent = text);

async function call(method, path, data) {
  const headers = data ? { "Content-Type": "application/json" } : {};
  const answer = await fetch(API + path, { method, headers, credentials: "include", body: data && JSON.stringify(data) });
  if (answer.status === 401) return null;
  const body = await answer.json();
  say(body.message ?? "");
  return body;
}

async function show() {
  const user = await call("GET", "/me");
  find("h1").textContent = user ? `Hello, ${user.name}` : "Sign in";
  find("#strangers").hidden = user;
  find("#home").hidden = !user;
}

find("#strangers").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, password } = event.target.elements;
  const answer = await call("POST", event.submitter.value, { name: name.value, password: password.value });
  if (!answer.message) show();
});
find("#sign-out").addEventListener("click", () => call("POST", "/sign-out").then(show));
find("#delete-account").addEventListener("click", () => call("DELETE", "/me").then(show));
show();
