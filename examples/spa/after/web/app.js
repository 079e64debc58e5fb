import { PasskeyClient } from "http://localhost:5000/passkey/static/passkey.js";

const API = "http://localhost:5000";
const passkeys = new PasskeyClient();
let user;
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
  user = await call("GET", "/me");
  if (user) await list();
  find("h1").textContent = user ? `Hello, ${user.name}` : "Sign in";
  find("#strangers").hidden = user;
  find("#home").hidden = !user;
  if (!user) return passkeys.autofill({ onSuccess: show, onError: tell });
  if (user.offer && (await passkeys.conditionalCreate({ userId: user.id }))) list();
}

const tell = (error) => say(error.message);
const attempt = (work) => work().then(list).catch(tell);

async function list() {
  const items = (await passkeys.list()).map(({ id, name }) => {
    const item = find("template").content.cloneNode(true);
    const [form, remove] = item.querySelectorAll("form, li > button");
    form.elements.name.value = name;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      attempt(() => passkeys.rename(id, form.elements.name.value));
    });
    remove.append(` ${name}`);
    remove.addEventListener("click", () => attempt(() => passkeys.delete(id)));
    return item;
  });
  find("ul").replaceChildren(...items);
  find("#confirm").hidden = !items.length;
}

find("#strangers").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, password } = event.target.elements;
  const answer = await call("POST", event.submitter.value, { name: name.value, password: password.value });
  if (!answer.message) show();
});
find("#passkey").addEventListener("click", () => passkeys.authenticate().then(show, tell));
find("#add").addEventListener("click", () => attempt(() => passkeys.register({ userId: user.id })));
find("#confirm").addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await call("POST", "/session/authn/password", { password: event.target.elements.password.value });
  say(answer?.code === 0 ? "Thank you. You can change your passkeys now." : "Wrong password.");
});
find("#sign-out").addEventListener("click", () => call("POST", "/sign-out").then(show));
find("#delete-account").addEventListener("click", () => call("DELETE", "/me").then(show));
show();
