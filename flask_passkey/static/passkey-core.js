/**
 * Flask-Passkey in the browser, without side effects: nothing happens until something here is called.
 *
 *   1. startRegistration(), startAuthentication(), … the ceremonies alone, named as in SimpleWebAuthn 13 and 14
 *   2. PasskeyClient: the same, bound to the routes and the envelope of the blueprint
 *
 * passkey.js has the data-passkey attributes as well, passkey-later.js what a page seldom needs. Types and their documentation are in passkey-core.d.ts.
 * https://www.w3.org/TR/webauthn-3/
 */

const LIFE = 300_000; // milliseconds a ceremony lives, unless its options say otherwise
const ANSWER = 30_000; // milliseconds that the server has for an answer
const GRACE = 15_000; // milliseconds after the browser's timeout until a ceremony is aborted
const FIELD = "input[autocomplete$='webauthn' i]";
const WAKING = ["visibilitychange", "focusin", "click"]; // events after which autofill is offered again

/** The English sentences that may have to be said before any other can be loaded: by code, phase, or what is done. */
export const MESSAGES = {
  aborted: "",
  network: "We could not reach the server. Check your connection and try again.",
  server: "Something went wrong. Please try again.",
  preparing: "One moment, please.",
  confirming: "First confirm that it is you: follow the steps that your browser or device shows.",
  finishing: "Almost done.",
  waiting: "Follow the steps that your browser or device shows.",
  done: "Done.",
  "authenticate.other_name": "You are signed in as {name}.",
};

/** What has come of passkey-later.js: nothing at first, and never where the connection was lost. No ceremony waits for it. */
let late = {};
const later = async () => (late = (await within(5000, attempt(() => import("./passkey-later.js")))) ?? late);

/** Bring the sentences of all refusals into MESSAGES. Without them, "server" is said in their place. */
export const loadMessages = async () => Object.assign(MESSAGES, (await later()).REFUSALS);

const BROWSER_CODES = {
  AbortError: "aborted",
  NotAllowedError: "cancelled",
  TimeoutError: "expired",
  SecurityError: "domain",
  NotSupportedError: "unsupported_device",
  ConstraintError: "unsupported_device",
  OperationError: "busy",
  UnknownError: "authenticator",
  NotReadableError: "authenticator",
};

/** By the envelope's code, or by the HTTP status if something other than the blueprint answered. */
const SERVER_CODES = {
  401: "sign_in_required",
  403: "forbidden",
  404: "not_found",
  429: "rate_limited",
  502: "unavailable",
  503: "unavailable",
  504: "unavailable",
  40001: "invalid",
  40019: "switched_off",
  40025: "rejected",
  40090: "unknown_credential",
  40091: "step_up_required",
  40092: "other_account",
  40093: "too_many_passkeys",
  40094: "grant_not_found",
  50001: "unavailable",
  50006: "unavailable",
};

/** This page where browsers allow passkeys: with https, or else at localhost, as in development. */
function betterAddress() {
  const { protocol, hostname, port, pathname } = globalThis.location ?? {};
  return globalThis.isSecureContext ? `${protocol}//localhost${port && `:${port}`}${pathname}` : `https://${hostname}${pathname}`;
}

/** Also `WebAuthnError`, for code that was written for SimpleWebAuthn. */
export class PasskeyError extends Error {
  constructor(code, { cause, ...details } = {}) {
    super(sentence({}, "", code) ?? MESSAGES.server, { cause });
    Object.assign(this, { name: "PasskeyError", code }, details);
  }
}

export { PasskeyError as WebAuthnError };

/** Browsers reject with DOMExceptions, extensions with anything or nothing. */
function toPasskeyError(error, method) {
  if (error instanceof PasskeyError) return error;
  const code = error?.name === "InvalidStateError" && method === "create" ? "duplicate" : BROWSER_CODES[error?.name];
  if (code === "domain") console.warn("Flask-Passkey: check PASSKEY_RP_ID and PASSKEY_ORIGINS.", error);
  return new PasskeyError(code ?? "server", { cause: error });
}

/** The sentence of the page, or else ours; one for the action is preferred. */
function sentence(messages, action, code) {
  const key = `${action}.${code}`;
  const found = messages[key] ?? MESSAGES[key] ?? messages[code] ?? MESSAGES[code];
  return found?.replace("{address}", betterAddress);
}

/** The error that callers get of a problem, with its sentence. */
async function inWords(problem, messages, action) {
  const error = toPasskeyError(problem);
  error.action ??= action;
  if (!(error.code in MESSAGES)) await loadMessages();
  error.message = sentence(messages, error.action, error.code) ?? error.message;
  return error;
}

/** The result of `work`, or `fallback` if that throws, rejects or returns nothing. */
async function attempt(work, fallback) {
  try {
    return (await work()) ?? fallback;
  } catch {
    return fallback;
  }
}

/** The result of `work`, or nothing if that takes too long. */
const within = (milliseconds, work) => Promise.race([work, new Promise((resolve) => setTimeout(resolve, milliseconds))]);

/* ---- what this browser can do ---- */

/** Why passkeys cannot work on this page, as a code of MESSAGES; null when they can. */
export function whyUnavailable() {
  const host = globalThis.location?.hostname ?? "";
  if (/^(127\.[\d.]+|\[::1\])$/.test(host)) return "loopback";
  if (/^(\[|[\d.]+$)/.test(host)) return "domain"; // nor would https help
  if (!globalThis.isSecureContext) return "insecure";
  return browserSupportsWebAuthn() ? null : "unsupported";
}

export function browserSupportsWebAuthn() {
  return typeof globalThis.PublicKeyCredential === "function" && !!globalThis.navigator?.credentials;
}

/** What the browser says of itself; a missing key is unknown. */
const clientCapabilities = () => attempt(() => globalThis.PublicKeyCredential.getClientCapabilities(), {});

export async function browserSupportsWebAuthnAutofill() {
  const api = globalThis.PublicKeyCredential;
  if (api?.isConditionalMediationAvailable) return attempt(() => api.isConditionalMediationAvailable(), false);
  return (await clientCapabilities()).conditionalGet === true;
}

export async function platformAuthenticatorIsAvailable() {
  return attempt(() => globalThis.PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable(), false);
}

export async function browserSupportsPasskeys() {
  if (!browserSupportsWebAuthn()) return false;
  const { passkeyPlatformAuthenticator, hybridTransport } = await clientCapabilities();
  return passkeyPlatformAuthenticator ?? hybridTransport ?? platformAuthenticatorIsAvailable();
}

export async function getBrowserCapabilities() {
  const told = await clientCapabilities();
  return (await later()).capabilitiesInWords?.(told) ?? {};
}

function requireSupport() {
  const why = whyUnavailable();
  if (why) throw new PasskeyError(why);
}

/* ---- JSON to options, credentials to JSON: by nobody's toJSON() or parse…FromJSON(), which other scripts replace ---- */

/** What `get` returns, or undefined if it throws. */
function read(get) {
  try {
    return get() ?? undefined;
  } catch {
    return undefined;
  }
}

/** An object of what can be read; what throws costs its own value only. A name like "__proto__" is a name. */
function gather(names, get) {
  const found = names.map((name) => [name, read(() => get(name))]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined));
}

/** Bytes in any form that scripts give them: base64 of both kinds, buffers of any page, numbers, a Buffer made JSON. */
function toBytes(data) {
  if (typeof data === "string") {
    const binary = atob(data.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, ""));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  }
  if (data.byteLength !== undefined) return new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength);
  if (data.data !== undefined) return toBytes(data.data);
  const numbers = data.length === undefined ? Object.values(data) : Array.from(data);
  if (!numbers.every((number) => number >= -128 && number <= 255)) throw new TypeError("not bytes");
  return Uint8Array.from(numbers);
}

function toText(data) {
  const binary = Array.from(toBytes(data), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

const toBuffer = (text) => toBytes(text).buffer;
export { toBuffer as base64URLStringToBuffer, toText as bufferToBase64URLString };
const mapValues = (object, change) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
const decodeIds = (list) => (list ?? []).map((item) => ({ ...item, id: toBuffer(item.id) }));
/** A copy without nulls, which browsers read as "null" or 0. */
const withoutNulls = (json) => JSON.parse(JSON.stringify(json?.publicKey ?? json), (key, value) => value ?? undefined);

function decodeExtensions({ prf, largeBlob, credBlob, ...others }) {
  if (prf) {
    const { eval: forAll, evalByCredential: each } = prf;
    others.prf = { ...prf };
    if (forAll) others.prf.eval = mapValues(forAll, toBuffer);
    if (each) others.prf.evalByCredential = mapValues(each, (values) => mapValues(values, toBuffer));
  }
  if (largeBlob) others.largeBlob = { ...largeBlob, ...(largeBlob.write && { write: toBuffer(largeBlob.write) }) };
  if (credBlob) others.credBlob = toBuffer(credBlob);
  return others;
}

function parseOptions(json, decode) {
  const clean = withoutNulls(json);
  const options = { ...clean, challenge: toBuffer(clean.challenge), ...decode(clean) };
  if (clean.extensions) options.extensions = decodeExtensions(clean.extensions);
  return options;
}

export function parseCreationOptionsFromJSON(json) {
  return parseOptions(json, ({ user, excludeCredentials }) => ({
    user: { ...user, id: toBuffer(user.id) },
    excludeCredentials: decodeIds(excludeCredentials),
  }));
}

export function parseRequestOptionsFromJSON(json) {
  return parseOptions(json, ({ allowCredentials }) => ({ allowCredentials: decodeIds(allowCredentials) }));
}

const PARSERS = { create: parseCreationOptionsFromJSON, get: parseRequestOptionsFromJSON };

/** A copy for JSON: buffers as text, no functions, no nulls, and no deeper than the bytes of a prf result can be. */
function encode(value, depth = 4) {
  if (/string|number|boolean/.test(typeof value)) return value;
  if (typeof value !== "object" || !value || !depth) return undefined;
  if (value.byteLength !== undefined) return toText(value);
  if (Array.isArray(value)) return Array.from(value, (item) => read(() => encode(item, depth - 1)));
  return gather(Object.keys(value), (name) => encode(value[name], depth - 1));
}

function encodeExtensions(results) {
  const json = gather(Object.keys(results), (name) => encode(results[name]));
  const { prf, largeBlob } = json;
  if (prf?.results) prf.results = gather(Object.keys(prf.results), (name) => toText(prf.results[name]));
  if (largeBlob?.blob) largeBlob.blob = read(() => toText(largeBlob.blob));
  return json;
}

const encodeBytes = (data) => toText(data) || undefined;
const encodeText = (text) => (typeof text === "string" ? text : undefined);

const CREDENTIAL = { authenticatorAttachment: encodeText, clientExtensionResults: encodeExtensions };
const RESPONSE = {
  clientDataJSON: encodeBytes,
  attestationObject: encodeBytes,
  authenticatorData: encodeBytes,
  signature: encodeBytes,
  userHandle: encodeBytes,
  publicKey: encodeBytes,
  publicKeyAlgorithm: (number) => Number(number) || undefined,
  transports: (list) => list.filter(encodeText),
};

const inCamels = (verb, name) => verb + name[0].toUpperCase() + name.slice(1);

/** What can be read and encoded, of a method such as getTransports() or else of the property. */
function members(from, encoders) {
  return gather(Object.keys(encoders), (name) => {
    const encoder = encoders[name];
    return read(() => encoder(from[inCamels("get", name)]())) ?? encoder(from[name]);
  });
}

export function credentialToJSON(credential) {
  const id = read(() => encodeBytes(credential.rawId)) ?? read(() => encodeBytes(credential.id));
  const response = members(read(() => credential.response), RESPONSE);
  return { id, rawId: id, type: "public-key", clientExtensionResults: {}, ...members(credential, CREDENTIAL), response };
}

/** The response without the secrets that an authenticator computes for the page only. */
function withoutSecrets(response) {
  const { prf, hmacGetSecret, ...results } = response.clientExtensionResults ?? {};
  if (prf) results.prf = { enabled: prf.enabled };
  return { ...response, clientExtensionResults: results };
}

/* ---- one ceremony at a time ---- */

/** What all copies of this module in a page share: one may be in a bundle, and one come with the page. */
const page = () => (globalThis[Symbol.for("flask-passkey")] ??= { current: null, offer: null, attached: new Map() });

const ended = () => new DOMException("Ended.", "AbortError");

export const WebAuthnAbortService = {
  createNewAbortSignal() {
    this.cancelCeremony();
    page().current = new AbortController();
    return page().current.signal;
  },
  cancelCeremony() {
    page().current?.abort(ended());
    page().current = null;
  },
};

/** Callers give any reason, old browsers none. */
function reasonOf({ reason }) {
  return reason?.name === "TimeoutError" ? reason : ended();
}

/** As `throwIfAborted()`, which Chrome has from 100 and Safari from 15.4. */
function checkAborted(signal) {
  if (signal?.aborted) throw reasonOf(signal);
}

/** Call `end` when the signal is aborted, or now; the function returned calls that off. */
function onAbort(signal, end) {
  const listener = () => end(reasonOf(signal));
  if (signal?.aborted) listener();
  signal?.addEventListener("abort", listener);
  return () => signal?.removeEventListener("abort", listener);
}

async function orAborted(signal, work) {
  let calledOff;
  const aborted = new Promise((_, reject) => (calledOff = onAbort(signal, reject)));
  return Promise.race([work, aborted]).finally(calledOff);
}

/** Abort the previous ceremony, then do `work` as the only one, until the caller's signal ends it. */
async function alone(work, signal) {
  checkAborted(signal);
  WebAuthnAbortService.createNewAbortSignal();
  const controller = page().current;
  const leave = () => {
    if (page().current === controller) page().current = null;
  };
  const calledOff = onAbort(signal, (reason) => {
    controller.abort(reason);
    leave(); // at once: the next ceremony may begin in the same task
  });
  try {
    return await work(controller);
  } finally {
    calledOff();
    leave();
  }
}

/** Ask the browser. Always settles: on its answer, on an abort, or at a timeout, even if the browser never answers. */
async function perform(method, options, controller, patience = (options.publicKey.timeout ?? LIFE) + GRACE) {
  const { signal } = controller;
  const giveUp = () => controller.abort(new DOMException("No answer.", "TimeoutError"));
  const waitsForUser = method === "get" && options.mediation === "conditional";
  const watchdog = waitsForUser ? undefined : setTimeout(giveUp, patience);
  try {
    checkAborted(signal);
    const asked = navigator.credentials[method](options.uiMode ? options : { ...options, signal });
    const credential = await orAborted(signal, asked);
    checkAborted(signal);
    if (!credential) throw new PasskeyError("cancelled");
    return credentialToJSON(credential);
  } catch (error) {
    throw toPasskeyError(signal.aborted ? reasonOf(signal) : error, method);
  } finally {
    clearTimeout(watchdog);
  }
}

/** A ceremony without a client, or the reason `why` it cannot be. */
async function start(why, method, options, signal) {
  try {
    if (why) throw new PasskeyError(why);
    return await alone((controller) => perform(method, options, controller), signal);
  } catch (problem) {
    throw await inWords(problem, {});
  }
}

const mediationFor = (isConditional) => isConditional && { mediation: "conditional" };

export async function startRegistration({ optionsJSON, useAutoRegister, signal }) {
  const options = { publicKey: parseCreationOptionsFromJSON(optionsJSON), ...mediationFor(useAutoRegister) };
  return start(whyUnavailable(), "create", options, signal);
}

export async function startAuthentication(given) {
  const { optionsJSON, useBrowserAutofill, verifyBrowserAutofillInput = true, signal } = given;
  const options = { publicKey: parseRequestOptionsFromJSON(optionsJSON), ...mediationFor(useBrowserAutofill) };
  let why = whyUnavailable();
  if (useBrowserAutofill && !why) {
    if (!(await browserSupportsWebAuthnAutofill())) why = "unsupported";
    else if (verifyBrowserAutofillInput && !document.querySelector(FIELD)) {
      throw new Error('No autocomplete ends in "webauthn".');
    }
  }
  return start(why, "get", options, signal);
}

/* ---- signals to the password manager ---- */

/** Never rejects and waits at most a second: browsers do not report what a signal did. */
function tellManager(signal, argument) {
  const sent = attempt(() => globalThis.PublicKeyCredential[inCamels("signal", signal)](argument));
  return within(1000, sent);
}

export async function sendSignal(given) {
  await (await later()).sendSignal?.(given, tellManager);
}

/** Is it certain that the passkey is not stored? Then it is deleted forever: docs/proof/browser.md has the reasons. */
function isOrphan(action, code, { rp, excludeCredentials }, id) {
  if (!rp) return code === 40090;
  if (excludeCredentials?.some((known) => known.id === id)) return false;
  return [40025, 40019, 40093, 40094].includes(code) || (code === 40001 && action === "register");
}

/** Browsers take what they want of one and the same argument. */
function sendSignals({ userId, otherUserIds = [], ...account }) {
  const both = (userId) => ["allAcceptedCredentials", "currentUserDetails"].map((signal) => tellManager(signal, { userId, ...account }));
  return Promise.all([userId, ...otherUserIds].flatMap(both));
}

/* ---- the blueprint's routes ---- */

const PRESETS = {
  "this-device": ["client-device", "platform"],
  "security-key": ["security-key", "cross-platform"],
  "another-device": ["hybrid", "cross-platform"],
};

function withPreset(publicKey, preset) {
  if (!PRESETS[preset]) return publicKey;
  const [hint, authenticatorAttachment] = PRESETS[preset];
  const authenticatorSelection = { ...publicKey.authenticatorSelection, authenticatorAttachment };
  return { ...publicKey, hints: [hint], authenticatorSelection };
}

/** The path in front of the routes. In a bundle `import.meta.url` is nothing, the bundle's address, or a file. */
function defaultBase() {
  const said = globalThis.document?.documentElement.dataset.passkeyBase;
  const [, found = ""] = /^(https?:.*)\/passkey\/static\/[^/]*$/.exec(read(() => import.meta.url)) ?? [];
  return said ?? found;
}

/** Cookies go to an API on another origin, too. */
function credentialsFor(url) {
  const here = globalThis.location;
  return here && new URL(url, here.href).origin !== here.origin ? "include" : "same-origin";
}

/** Would a step-up satisfy this `@passkey.required`? */
async function wantsStepUp(answer) {
  if (!/json/.test(answer.headers.get("Content-Type"))) return false;
  return attempt(async () => (await answer.clone().json()).code === 40091, false);
}

/** Sentences of the page, from every <script type="application/json"> with this attribute; later ones win. */
function pageMessages(attribute) {
  const found = {};
  for (const { textContent } of globalThis.document?.querySelectorAll(`script[${attribute}]`) ?? []) {
    try {
      Object.assign(found, JSON.parse(textContent));
    } catch (error) {
      console.warn(`Flask-Passkey: ${attribute} is not JSON.`, error);
    }
  }
  return found;
}

function dispatch(element, name, detail) {
  return element.dispatchEvent(new CustomEvent(`passkey:${name}`, { bubbles: true, cancelable: true, composed: true, detail }));
}

const isSignIn = (action) => action === "authenticate" || action === "step-up";
const pathOf = (action) => (isSignIn(action) ? "/session/authn" : "/user/authn");

export class PasskeyClient {
  #kept = {}; // options fetched ahead and not used yet, by action

  constructor({ base, csrf, csrfHeader = "X-CSRFToken", messages, fetch, options } = {}) {
    this.base = base ?? defaultBase();
    const token = () => csrf ?? globalThis.document?.querySelector("meta[name='csrf-token']")?.content;
    this.csrf = typeof csrf === "function" ? csrf : token;
    this.csrfHeader = csrfHeader;
    const translation = pageMessages("data-passkey-translation");
    this.messages = { ...MESSAGES, ...translation, ...pageMessages("data-passkey-messages"), ...messages };
    this.options = options ?? ((publicKey) => publicKey);
    this.transport = fetch ?? ((...request) => globalThis.fetch(...request));
  }

  async capabilities() {
    const told = await clientCapabilities();
    return {
      ...told,
      passkeys: !whyUnavailable(),
      conditionalGet: await browserSupportsWebAuthnAutofill(),
      platform: told.userVerifyingPlatformAuthenticator ?? (await platformAuthenticatorIsAvailable()),
    };
  }

  /** `fetch()` for the app's own views: if one wants a fresh sign-in first, step up and repeat the request once. */
  async fetch(input, init) {
    const isRequest = input instanceof Request;
    const request = new Request(input, isRequest ? init : { credentials: credentialsFor(input), ...init });
    const token = this.csrf();
    if (token && !request.headers.has(this.csrfHeader)) request.headers.set(this.csrfHeader, token);
    const answer = await this.transport(request.clone());
    if (!(await wantsStepUp(answer))) return answer;
    delete this.#kept["step-up"]; // fetched before the view asked for more, say for a PIN
    return (await this.#confirm({ signal: request.signal })) ? this.transport(request) : answer;
  }

  authenticate({ userName, uiMode, signal, onPhase } = {}) {
    const begin = userName ? () => this.#begin("authenticate", { user_name: userName }) : undefined;
    return this.#perform("authenticate", { uiMode, signal, onPhase }, begin);
  }

  stepUp({ uiMode, signal, onPhase } = {}) {
    return this.#perform("step-up", { uiMode, signal, onPhase });
  }

  register({ userId, ...how } = {}) {
    return this.#perform("register", how, () => this.#fetchAhead("register", userId));
  }

  signUp({ name, displayName, fields, passkeyName, ...how }) {
    const begin = async () => {
      if (!name.trim()) throw new PasskeyError("name_missing");
      const ceremony = await this.#begin("sign-up", { name, display_name: displayName || undefined, fields });
      // Older servers add to the open account.
      if (ceremony.publicKey.user.name !== name.replace(/[\u2066-\u2069]/g, "").trim().normalize()) throw new PasskeyError("other_account");
      return ceremony;
    };
    return this.#perform("sign-up", { ...how, name: passkeyName }, begin);
  }

  /** Nobody is signed in by it, and a code that was typed wrong can be typed again. */
  enrol(grant, how) {
    return this.#perform("enrol", how, () => this.#begin("enrol", { grant }));
  }

  /** Never rejects and shows nothing, as the user did not ask for it. */
  async conditionalCreate({ timeout = 10_000, userId, signal } = {}) {
    if ((await clientCapabilities()).conditionalCreate !== true || page().current) return null;
    const begin = () => this.#begin("conditional-create", { conditional: true, user_id: userId });
    return attempt(() => this.#ceremony("conditional-create", { signal }, begin, timeout), null);
  }

  list({ signal } = {}) {
    return this.#run("list", { signal }, async () => (await this.#call("GET", "/user/authn", { signal })).credentials);
  }

  rename(id, name, how = {}) {
    return this.#run("rename", how, () => this.#call("PATCH", `/user/authn/${id}`, { body: { name }, signal: how.signal }));
  }

  delete(id, how = {}) {
    const codes = { 409: "last_passkey" };
    return this.#run("delete", how, () => this.#call("DELETE", `/user/authn/${id}`, { codes, signal: how.signal }));
  }

  /** Fetch options before they are needed: Safari allows no waiting between the click and the dialog. */
  async prefetch(action = "authenticate", { userId, signal } = {}) {
    try {
      return await orAborted(signal, this.#fetchAhead(action, userId)); // others may wait for the same options
    } catch (problem) {
      throw await inWords(problem, this.messages, action);
    }
  }

  #fetchAhead(action, userId) {
    const kept = this.#kept[action];
    if (kept && kept.userId === userId && Date.now() < kept.until) return kept.promise;
    const entry = { until: Infinity, userId };
    entry.promise = this.#begin(action, userId && { user_id: userId }).then((ceremony) => {
      entry.until = ceremony.began + ceremony.life / 2;
      return ceremony;
    });
    entry.promise.catch(() => (entry.until = 0));
    this.#kept[action] = entry;
    return entry.promise;
  }

  /** Offer passkeys among the suggestions of the page's user name field, instead of whoever offered them before. */
  async autofill({ onSuccess, onError, signal, root = document } = {}) {
    page().offer?.stop();
    const stopping = new AbortController();
    const stopped = stopping.signal;
    let armed = false;
    let retries = 1; // without a user's action: some authenticators answer at once

    const arm = async () => {
      if (stopped.aborted || armed || page().current || document.hidden) return;
      armed = true;
      let renewal, answered, error, expired, data;
      try {
        const ceremony = await this.#fetchAhead("authenticate");
        if (stopped.aborted || page().current) return;
        const response = await alone((controller) => {
          const renew = () => controller.abort((expired = ended()));
          renewal = setTimeout(renew, ceremony.began + ceremony.life * 0.75 - Date.now());
          const publicKey = parseRequestOptionsFromJSON(this.#asWanted(ceremony.publicKey, "get", "autofill"));
          return perform("get", { publicKey, mediation: "conditional" }, controller);
        }, stopped);
        answered = true;
        data = await this.#finish("authenticate", ceremony, response, { signal: stopped });
      } catch (problem) {
        error = toPasskeyError(problem);
      } finally {
        clearTimeout(renewal);
        armed = false;
      }
      if (stopped.aborted) return;
      if (data) {
        control.stop();
        onSuccess?.(data);
      } else if (answered && onError) { // errors before a passkey is picked are not reported
        const told = await inWords(error, this.messages, "authenticate");
        if (stopped.aborted) return;
        onError(told);
      }
      if (expired) arm();
      else if (error && error.code !== "aborted" && retries-- > 0) arm();
    };
    const wake = (event) => {
      if (event.type !== "visibilitychange" && !event.composedPath()[0].matches?.(FIELD)) return;
      retries = 1;
      arm();
    };
    let calledOff;
    const control = (page().offer = {
      stop: () => {
        stopping.abort();
        calledOff?.();
        if (page().offer === control) page().offer = null;
      },
      rearm: () => {
        retries = 0;
        return arm();
      },
    });
    calledOff = onAbort(signal, control.stop);
    const able = !whyUnavailable() && (await browserSupportsWebAuthnAutofill()) && root.querySelector(FIELD);
    if (!able) control.stop();
    if (stopped.aborted) return control;
    addEventListener("pageshow", arm, { signal: stopped });
    for (const type of WAKING) document.addEventListener(type, wake, { signal: stopped });
    arm();
    return control;
  }

  /** Run an action. If the server wants a fresh sign-in first, step up and repeat the action once. */
  async #run(action, { signal, onPhase }, work) {
    try {
      checkAborted(signal);
      try {
        return await work();
      } catch (error) {
        if (error.code !== "step_up_required" || action === "step-up") throw error;
        const confirming = (phase) => onPhase?.(phase === "waiting" ? "confirming" : phase);
        if (!(await this.#confirm({ signal, onPhase: confirming }))) throw error;
        return await work();
      }
    } catch (problem) {
      const error = toPasskeyError(problem);
      if (error.code !== "aborted" || signal?.aborted) page().offer?.rearm();
      throw await inWords(error, this.messages, action);
    }
  }

  /** Step up, or return nothing if the account has no passkey to confirm with. */
  #confirm(how) {
    return this.stepUp(how).catch((failed) => {
      if (failed.code !== "not_found") throw failed;
    });
  }

  #perform(action, how = {}, begin = () => this.#fetchAhead(action)) {
    return this.#run(action, how, () => this.#ceremony(action, how, begin));
  }

  #ceremony(action, { name, preset, uiMode, signal, onPhase }, begin, patience) {
    requireSupport();
    const method = isSignIn(action) ? "get" : "create";
    return alone(async (controller) => {
      onPhase?.("preparing");
      const ceremony = await orAborted(controller.signal, begin());
      const options = { publicKey: this.#inTime(ceremony, method, action, preset), ...mediationFor(action === "conditional-create") };
      const immediate = uiMode === "immediate" && method === "get" && !options.publicKey.allowCredentials.length;
      if (immediate && (await clientCapabilities()).immediateGet === true) options.uiMode = uiMode;
      onPhase?.("waiting");
      const response = await perform(method, options, controller, patience);
      return this.#finish(action, ceremony, response, { name, signal, onPhase });
    }, signal);
  }

  /** Close the browser's dialog when the ceremony ends on the server, even for options fetched ahead. */
  #inTime({ publicKey, began, life }, method, action, preset) {
    const timeout = Math.max(began + life - Date.now(), 1000);
    return PARSERS[method]({ ...this.#asWanted(withPreset(publicKey, preset), method, action), timeout });
  }

  #asWanted(publicKey, kind, action) {
    const copy = withoutNulls(publicKey);
    return this.options(copy, { kind, action }) ?? copy;
  }

  async #begin(action, body) {
    const path = pathOf(action);
    const codes = { 409: "name_taken" };
    if (action === "authenticate" || action === "sign-up") codes[403] = "domain"; // no user is known yet: it is the origin
    const call = () => this.#call("PUT", path, { body: action === "step-up" ? { step_up: true } : body, codes });
    const began = Date.now();
    const data = await call().catch((error) => {
      if (error.code !== "network") throw error;
      return call();
    });
    const { publicKey } = data.options;
    return { id: data.session_id, publicKey, began, life: publicKey.timeout ?? LIFE };
  }

  async #finish(action, { id, publicKey }, response, { name, signal, onPhase }) {
    onPhase?.("finishing");
    delete this.#kept[action]; // used up, whatever the answer is
    const path = pathOf(action);
    const body = { session_id: id, response: withoutSecrets(response), name };
    const codes = { 404: "expired", ...(action === "sign-up" ? { 409: "name_taken", 40091: "other_account" } : { 409: "duplicate" }) };
    const post = () =>
      this.#call("POST", path, { body, codes, signal }).catch(async (error) => {
        if (isOrphan(action, error.envelope?.code, publicKey, response.id)) {
          const rpId = publicKey.rpId ?? publicKey.rp.id;
          await tellManager("unknownCredential", { rpId, credentialId: response.id });
        }
        throw error;
      });
    const data = await (action === "register" ? this.#run(action, { signal, onPhase }, post) : post()); // a step-up does not use it up
    const { authenticatorAttachment, clientExtensionResults } = response;
    return { ...data, authenticatorAttachment, clientExtensionResults };
  }

  /** The envelope decides, not the status: PASSKEY_HTTP_STATUS = False answers 200 to everything. */
  async #call(method, path, { body, codes, signal } = {}) {
    const controller = new AbortController();
    const tooLate = setTimeout(() => controller.abort(), ANSWER);
    const calledOff = onAbort(signal, () => controller.abort());
    let answer, envelope;
    try {
      const url = this.base + path;
      const token = this.csrf();
      const headers = {
        Accept: "application/json",
        ...(token && { [this.csrfHeader]: token }),
        ...(body && { "Content-Type": "application/json" }),
      };
      const request = { method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: credentialsFor(url) };
      answer = await this.transport(url, { ...request, signal: controller.signal });
      envelope = await answer.json();
    } catch (cause) {
      checkAborted(signal);
      if (cause?.name !== "SyntaxError") throw new PasskeyError("network", { cause });
    } finally {
      clearTimeout(tooLate);
      calledOff();
    }
    globalThis.document && dispatch(document, "exchange", { method, path, body, status: answer.status, envelope });
    if (envelope?.code === 0) {
      if (envelope.data?.signals?.userId) await sendSignals(envelope.data.signals);
      return envelope.data;
    }
    if (envelope?.error) console.warn("Flask-Passkey:", envelope.error);
    const number = envelope?.code ?? answer.status;
    const retryAfter = Number(answer.headers.get("Retry-After")) || undefined;
    throw new PasskeyError(codes?.[number] ?? SERVER_CODES[number] ?? "server", { status: answer.status, envelope, retryAfter });
  }
}

/* For passkey.js alone: these may change at any time. */
export { dispatch, FIELD, inWords, late, page, read, sentence };
