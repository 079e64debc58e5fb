/**
 * "What just happened", for developers: the requests and answers of the last ceremonies, decoded. Off unless asked
 * for. Kept for this tab only, because a sign-in leads to another page.
 */

const SWITCH = "panel";
const KEPT = "exchanges";
const MOST = 6;
const FLAGS = { UP: 0x01, UV: 0x04, BE: 0x08, BS: 0x10, AT: 0x40, ED: 0x80 };

const toggle = document.querySelector("[data-panel-switch]");
const panel = document.querySelector("[data-panel]");
const list = panel?.querySelector("[data-panel-list]");
const isOn = () => localStorage.getItem(SWITCH) === "on";
const exchanges = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");

function bytes(text) {
  return Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
}

const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** https://www.w3.org/TR/webauthn-3/#authenticator-data, up to the public key. */
function decodeAuthenticatorData(text) {
  const data = bytes(text);
  const flags = Object.keys(FLAGS).filter((name) => data[32] & FLAGS[name]);
  const decoded = { rpIdHash: hex(data.subarray(0, 32)), flags, signCount: new DataView(data.buffer).getUint32(33) };
  if (flags.includes("AT")) decoded.aaguid = hex(data.subarray(37, 53)).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  return decoded;
}

/** What can be read of a body, with the parts that are bytes taken apart. */
function decode(body) {
  const response = body?.response?.response;
  if (!response) return body;
  const decoded = { ...response, clientDataJSON: JSON.parse(new TextDecoder().decode(bytes(response.clientDataJSON))) };
  if (response.authenticatorData) decoded.authenticatorData = decodeAuthenticatorData(response.authenticatorData);
  return { ...body, response: { ...body.response, response: decoded } };
}

function element(name, text, ...children) {
  const made = document.createElement(name);
  made.append(text, ...children);
  return made;
}

function block(summary, value) {
  const pre = element("pre", JSON.stringify(value, null, 2));
  pre.tabIndex = 0;
  return element("details", element("summary", summary), pre);
}

function draw() {
  panel.hidden = !isOn();
  toggle.hidden = false;
  toggle.setAttribute("aria-pressed", String(isOn()));
  panel.querySelector("[data-panel-empty]").hidden = exchanges().length > 0;
  const items = exchanges().map(({ method, path, body, status, envelope }) => {
    const { request, answer, code } = list.dataset; // in the page's language
    const title = element("p", element("code", `${method} ${path}`), ` → ${status}, ${code} ${envelope?.code ?? "–"}`);
    return element("li", title, ...(body ? [block(request, decode(body))] : []), block(answer, envelope));
  });
  list.replaceChildren(...items);
}

if (panel) {
  toggle.addEventListener("click", () => {
    localStorage.setItem(SWITCH, isOn() ? "off" : "on");
    if (!isOn()) sessionStorage.removeItem(KEPT);
    draw();
  });
  document.addEventListener("passkey:exchange", ({ detail }) => {
    if (!isOn()) return;
    const { body } = detail;
    const shown = body?.grant ? { ...detail, body: { ...body, grant: "…" } } : detail; // it may still be good
    sessionStorage.setItem(KEPT, JSON.stringify([shown, ...exchanges()].slice(0, MOST)));
    draw();
  });
  draw();
}
