import { passkey } from "/passkey/static/passkey.js";

async function send(method, path, data) {
  const headers = { "Content-Type": "application/json" };
  const body = data && JSON.stringify(data);
  const answer = await passkey.fetch(path, { method, headers, body }).catch(() => ({ status: 403 }));
  if (answer.ok) location.reload();
  else if (answer.status === 403) location.assign("/passkeys/confirm?next=/"); // by another way
  else document.querySelector("[role=alert]").textContent = `That did not work (${answer.status}).`;
}

document.querySelector("#add").addEventListener("submit", (event) => {
  event.preventDefault();
  send("POST", "/api/projects", { name: event.target.elements.name.value });
});
document.querySelector("#projects").addEventListener("click", ({ target }) => {
  if (target.dataset.delete) send("DELETE", target.dataset.delete);
});
