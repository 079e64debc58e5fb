/**
 * Flask-Passkey in the browser: the whole of passkey-client.js, and data-passkey attributes for pages without a script.
 *
 * Types and their documentation are in passkey.d.ts.
 */

import { PasskeyClient } from "./passkey-client.js";
import { dispatch, FIELD, inWords, late, loadMessages, page, PasskeyError, read, sentence, WebAuthnAbortService, whyUnavailable } from "./passkey-core.js";

export * from "./passkey-client.js";

const BLINK = 400; // milliseconds that a preparation may take before the page says so
const NEXT_PAGE = 10_000; // milliseconds that the next page has to come, until the button may be pressed again

/** What somebody typed, be it a whole link, comes before what the page was opened with. */
function grantOf({ elements, dataset }) {
  const given = elements?.grant?.value.trim() || dataset.passkeyGrant || location.hash;
  return given.slice(given.lastIndexOf("#") + 1);
}

/** What is said of a new passkey. */
const newOf = ({ dataset: { passkeyName: name, passkeyPreset: preset, passkeyUser: userId } }, how) => ({ name, preset, userId, ...how });

/** A spent link does not stay in the address bar. */
async function enrol(element, how) {
  const made = await passkey.enrol(grantOf(element), newOf(element, how));
  if (location.hash) history.replaceState(history.state, "", location.pathname + location.search);
  return made;
}

/** What the app's own fields of a form have, as a form sends it: those that say so, and never a password. */
function fieldsOf(form) {
  const names = new Set();
  for (const { name, dataset } of form.elements) if ("passkeyField" in dataset) names.add(name);
  for (const { name, type } of form.elements) if (type === "password") names.delete(name);
  const sent = [...new FormData(form)].filter(([name, value]) => names.has(name) && typeof value === "string");
  return sent.length ? Object.fromEntries(sent) : undefined;
}

function signUp(form, how) {
  const { name, display_name: displayName } = form.elements;
  return passkey.signUp({ name: name.value, displayName: displayName?.value, fields: fieldsOf(form), ...how });
}

const typedName = (element) => element.querySelector(FIELD)?.value.trim().normalize() ?? "";

/** The name decides only where the page says that the server takes names. */
function authenticate(element, how) {
  const { dataset } = element;
  const userName = ("passkeyNames" in dataset && typedName(element)) || undefined;
  return passkey.authenticate({ userName, uiMode: "passkeyImmediate" in dataset && "immediate", ...how });
}

function otherName(element, action, data) {
  const typed = typedName(element);
  const name = data?.user?.name;
  if (action !== "authenticate" || !typed || !name || typed.toLowerCase() === name.toLowerCase()) return undefined;
  return sentence(passkey.messages, action, "other_name").replace("{name}", () => name);
}

const ACTIONS = {
  enrol,
  authenticate,
  "step-up": (element, how) => passkey.stepUp(how),
  register: (element, how) => passkey.register(newOf(element, how)),
  "sign-up": signUp,
  rename: ({ dataset, elements }, how) => passkey.rename(dataset.passkeyId, elements.name.value, how),
  delete: ({ dataset }, how) => passkey.delete(dataset.passkeyId, how),
};

/** Shown politely, not as an alert. */
const CALM = ["cancelled", "duplicate"];

/** The client of the data-passkey attributes, which is the same in all copies of this module. */
export const passkey = globalThis.document && (page().client ??= new PasskeyClient());

const REGIONS = "[data-passkey-status], [data-passkey-alert]";

/** Where an element's messages are shown: in itself, in its scope, in its shadow root, else anywhere. */
function scopeOf(element) {
  const root = element.getRootNode();
  const places = [element, element.closest("[data-passkey-scope]"), root];
  return places.find((place) => place?.querySelector?.(REGIONS)) ?? document;
}

function write(region, text = "", code = "") {
  region.textContent = text;
  region.dataset.passkeyCode = code;
}

function hush(root) {
  for (const region of root.querySelectorAll?.(REGIONS) ?? []) if (region.dataset.passkeyCode) write(region);
}

/** Show a text in the live region nearest to the element, and return that; data-passkey-code is for the page's style. */
function tell(element, text = "", code = "", isAlert = false) {
  const scope = scopeOf(element);
  const status = scope.querySelector("[data-passkey-status]");
  const alert = scope.querySelector("[data-passkey-alert]") ?? status;
  for (const region of [status, alert]) if (region) write(region);
  const region = isAlert ? alert : status;
  if (region) write(region, text, code);
  return region;
}

const NOTICE = "passkey:notice"; // in the browser's storage for this tab

function leaveNotice(notice) {
  if (notice) read(() => sessionStorage.setItem(NOTICE, notice));
}

function showNotice() {
  const notice = read(() => sessionStorage.getItem(NOTICE));
  if (!notice || !document.querySelector(REGIONS)) return;
  sessionStorage.removeItem(NOTICE);
  tell(document.documentElement, notice, "done");
}

/** Go to an address of this site, never to another site. The button stays busy until the next page is there. */
function go(next) {
  try {
    const url = new URL(next, location.href);
    const isPage = /^https?:$/.test(url.protocol) && !url.username && !url.password; // blob: has our origin, too
    if (next && isPage && url.origin === location.origin) return location.assign(url);
  } catch {
    // not an address
  }
  location.reload();
}

function succeed(element, action, data) {
  tell(element);
  if (!dispatch(element, "success", data)) return;
  const other = otherName(element, action, data);
  const next = data?.next ?? element.dataset.passkeyNext;
  if (next !== undefined) {
    tell(element, sentence(passkey.messages, action, "finishing"), "finishing");
    leaveNotice(other ?? element.dataset.passkeyNotice);
    go(next);
    return true;
  }
  tell(element, other ?? sentence(passkey.messages, action, "done"), "done");
}

async function fail(element, problem) {
  let error = problem;
  if (!(problem instanceof PasskeyError)) {
    console.error(problem); // a mistake in the page
    error = await inWords(problem, passkey.messages);
  }
  const { code } = error;
  if (code === "aborted") return;
  tell(element);
  if (!dispatch(element, "error", error)) return;
  const region = tell(element, error.message, code, !CALM.includes(code));
  late.blame?.(element, error, region);
  if (code !== "cancelled" || !("passkeyImmediate" in element.dataset)) return;
  delete element.dataset.passkeyImmediate; // the next press also asks for passkeys on other devices
  (element.getRootNode().querySelector?.(FIELD) ?? document.querySelector(FIELD))?.focus();
}

/** Mark what is busy; a button that is disabled would lose the focus. */
function occupy(element, button) {
  element.setAttribute("aria-busy", "true");
  button?.setAttribute("aria-disabled", "true");
  const release = () => {
    clearTimeout(release.later);
    removeEventListener("pageshow", release);
    element.removeAttribute("aria-busy");
    button?.removeAttribute("aria-disabled");
  };
  /** The page may be kept and shown again, and a download leaves it where it is. */
  release.inTime = () => {
    addEventListener("pageshow", release);
    release.later = setTimeout(release, NEXT_PAGE);
  };
  return release;
}

/** Say which phase has begun, but nothing of a preparation that is over at once. */
function phasesOf(element, action) {
  let later;
  const say = (phase) => tell(element, sentence(passkey.messages, action, phase), phase);
  const onPhase = (phase) => {
    clearTimeout(later);
    if (phase === "preparing") later = setTimeout(say, BLINK, phase);
    else say(phase);
  };
  return { onPhase, over: () => clearTimeout(later) };
}

async function act(element, button) {
  const action = element.dataset.passkey;
  if (element.getAttribute("aria-busy") === "true") return;
  hush(element.getRootNode());
  const release = occupy(element, button);
  const { onPhase, over } = phasesOf(element, action);
  let leaves = false;
  try {
    const data = await ACTIONS[action](element, { onPhase });
    leaves = succeed(element, action, data);
  } catch (error) {
    over();
    await fail(element, error);
  } finally {
    over();
    if (leaves) release.inTime();
    else release();
  }
}

/** The innermost element that fits, also in shadow roots that are open. */
const within = (event, selector) => event.composedPath().find((element) => element.matches?.(selector));

const hinted = {};

/** The pointer or the focus is on a button: fetch its options ahead, at most once a minute. */
function hint(event) {
  const element = within(event, "[data-passkey]");
  const action = element?.dataset.passkey;
  if ((action !== "authenticate" && action !== "register") || Date.now() - (hinted[action] ?? 0) < 60_000) return;
  hinted[action] = Date.now();
  if (!whyUnavailable()) passkey.prefetch(action, { userId: element.dataset.passkeyUser }).catch(() => {});
}

function onClick(event) {
  const button = within(event, "button[data-passkey]");
  if (!button || !ACTIONS[button.dataset.passkey] || !isFirst(event)) return;
  event.preventDefault();
  act(button, button);
}

function onSubmit(event) {
  const form = event.target;
  if (!ACTIONS[form.dataset.passkey] || event.defaultPrevented) return;
  event.preventDefault();
  act(form, event.submitter ?? form.querySelector("button:not([type='button'])"));
}

const seen = new WeakSet(); // events that were acted on, and elements that have done what they do once

function isFirst(thing) {
  return !seen.has(thing) && seen.add(thing);
}

/** A submit does not leave its shadow root, but what comes before it does. */
function attachShadows(event) {
  for (const root of event.composedPath()) if (globalThis.ShadowRoot && root instanceof ShadowRoot) attach(root);
}

const LISTENERS = { click: onClick, submit: onSubmit, pointerover: hint, focusin: hint };

const WATCHED = ["if", "why", "autofill", "sync", "offer"].map((name) => `data-passkey-${name}`);
const WATCH = { childList: true, subtree: true, attributeFilter: ["hidden", ...WATCHED] };

/** Once a root, whichever copy of this module does it: the page knows how to let go of each. */
export function attach(root = document) {
  const { attached } = page();
  if (attached.has(root)) return attached.get(root);
  const observer = new MutationObserver((records) => {
    const hasElement = ({ addedNodes, removedNodes }) => [...addedNodes, ...removedNodes].some(({ nodeType }) => nodeType === 1);
    if (records.some((record) => record.type === "attributes" || hasElement(record))) enliven(root);
  });
  const over = new AbortController();
  const detach = () => {
    attached.delete(root);
    observer.disconnect();
    over.abort();
    if (offered?.root === root) offered.stop();
  };
  attached.set(root, detach);
  for (const [type, listener] of Object.entries(LISTENERS)) root.addEventListener(type, listener, { signal: over.signal });
  observer.observe(root, WATCH);
  enliven(root);
  return detach;
}

let offered = null; // the element whose autofill was begun here

function offerAutofill(root) {
  const element = root.querySelector("[data-passkey-autofill]");
  const isThere = offered?.element.isConnected && "passkeyAutofill" in offered.element.dataset;
  if (offered && !isThere) offered.stop();
  if (!element || offered) return;
  const ending = new AbortController();
  const stop = () => {
    ending.abort();
    offered = null;
  };
  offered = { element, root, stop };
  passkey.autofill({
    onSuccess: (data) => succeed(element, "authenticate", data),
    onError: (error) => fail(element, error),
    signal: ending.signal,
    root,
  });
}

function enliven(root) {
  show(root);
  const sync = root.querySelector("[data-passkey-sync]");
  if (sync && isFirst(sync)) passkey.list().catch(() => {});
  const landing = root.querySelector("[data-passkey-offer]");
  if (landing && isFirst(landing)) {
    const made = passkey.conditionalCreate({ userId: landing.dataset.passkeyUser });
    made.then((data) => data && loadMessages().then(() => succeed(landing, "conditional-create", data)));
  }
  offerAutofill(root);
}

/** Change only what differs, as we watch the page. */
function put(element, name, value) {
  if (element[name] !== value) element[name] = value;
}

/** Show the elements that fit this browser: data-passkey-if is "available", "unavailable", or a capability. */
export async function show(root = document) {
  const why = whyUnavailable();
  const known = { available: !why, unavailable: !!why };
  const places = root.querySelectorAll("[data-passkey-why]");
  const waiting = [];
  for (const element of root.querySelectorAll("[data-passkey-if]")) {
    const wanted = element.dataset.passkeyIf;
    if (wanted in known) put(element, "hidden", !known[wanted]);
    else waiting.push(element);
  }
  if (waiting.length) {
    const able = await passkey.capabilities();
    for (const element of waiting) put(element, "hidden", why !== null || able[element.dataset.passkeyIf] !== true);
  }
  const reason = why && places.length ? (await inWords(new PasskeyError(why), passkey.messages)).message : "";
  for (const element of places) put(element, "textContent", reason);
}

function setUp() {
  attach();
  showNotice();
  for (const type of ["click", "focusin", "pointerover"]) document.addEventListener(type, attachShadows, { capture: true, passive: true });
  addEventListener("pagehide", () => WebAuthnAbortService.cancelCeremony());
}

if (passkey && !page().attached.has(document)) setUp();
