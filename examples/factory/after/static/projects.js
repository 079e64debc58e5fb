import { passkey } from "/passkey/static/passkey.js";

async function send(method, path, data) {
  const headers = { "Content-Type": "application/json" };
  const call = () => fetch(path, { method, headers, body: data && JSON.stringify(data) });
  let answer = await call();
  if (answer.status === 403 && (await answer.json()).code === 40091) {
    try {
      await passkey.stepUp();
    } catch {
      return location.assign("/passkeys"); // to confirm with the password
    }
    answer = await call();
  }
  if (answer.ok) location.reload();
  else document.querySelector("[role=alert]").textContent = `That did not work (${answer.status}).`;
}

document.querySelector("#add").addEventListener("submit", (event) => {
  event.preventDefault();
  send("POST", "/api/projects", { name: event.target.elements.name.value });
});
document.querySelector("#projects").addEventListener("click", ({ target }) => {
  if (target.dataset.delete) send("DELETE", target.dataset.delete);
});
