async function send(method, path, data) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method, headers, body: data && JSON.stringify(data) });
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
