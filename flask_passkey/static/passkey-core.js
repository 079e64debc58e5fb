/**
 * Flask-Passkey in the browser, without side effects: nothing happens until something here is called.
 *
 *   1. startRegistration(), startAuthentication(), … the ceremonies alone, named as in SimpleWebAuthn 13 and 14
 *   2. PasskeyClient: the same, bound to the routes and the envelope of the blueprint
 *
 * passkey.js has the data-passkey attributes as well. Types and their documentation are in passkey-core.d.ts.
 * https://www.w3.org/TR/webauthn-3/
 */

const LIFE = 300_000; // milliseconds a ceremony lives, unless its options say otherwise
const ANSWER = 30_000; // milliseconds that the server has for an answer
const GRACE = 15_000; // milliseconds after the browser's timeout until a ceremony is aborted
const FIELD = "input[autocomplete$='webauthn' i]";
const WAKING = ["visibilitychange", "focusin", "click"]; // events after which autofill is offered again

/** One sentence for each code, to show as it is. "action.code" is preferred to "code". */
export const MESSAGES = Object.freeze({
  aborted: "",
  cancelled: "No passkey was used. You can try again, choose another device, such as a phone or a security key, or sign in another way.",
  "register.cancelled": "No passkey was created. You can try again, or choose another device, such as a phone or a security key.",
  "sign-up.cancelled": "No passkey was created, and no account. You can try again.",
  "enrol.cancelled": "No passkey was created. Your link or code is still good: you can try again.",
  "step-up.cancelled": "Nothing was changed. Please confirm with a passkey to go on.",
  expired: "That took too long. Please try again.",
  duplicate: "This device or password manager already has a passkey for your account. To add another one, choose another device.",
  "enrol.duplicate": "This device or password manager already has a passkey for your account. You can sign in with it.",
  domain: "Passkeys do not work on this address. Please open the usual address of this site.",
  loopback: "Passkeys do not work on this address. Open {address} instead.",
  insecure: "Passkeys need a secure address. Open {address} instead.",
  unsupported: "This browser cannot use passkeys here. Please use a current version of Chrome, Edge, Firefox or Safari.",
  unsupported_device: "This device cannot create the kind of passkey this site needs. Please try another device, or a security key.",
  busy: "Another passkey request is open. Close it and try again.",
  authenticator: "Your device could not complete this. Try again or use another passkey.",
  network: "We could not reach the server. Check your connection and try again.",
  server: "Something went wrong. Please try again.",
  unavailable: "The service is unavailable for the moment. Please try again.",
  rate_limited: "Too many tries. Please wait a minute.",
  sign_in_required: "Please sign in first.",
  "authenticate.forbidden": "You cannot sign in here with this passkey. Use another one, or ask the people who run this site.",
  forbidden: "This was not allowed. Please reload the page and try again.",
  invalid: "Please check what you entered.",
  name_missing: "Please enter a name.",
  not_found: "This passkey is no longer in your list. Please reload the page.",
  name_taken: "This name is taken. Please choose another one, or sign in if it is yours.",
  too_many_passkeys: "You have as many passkeys as you can have here. Delete one first.",
  last_passkey: "This is your only passkey. Add another one before you delete it.",
  switched_off: "This is switched off here. Please ask the people who run this site.",
  rejected: "The passkey could not be verified. Please try again.",
  unknown_credential: "This passkey is no longer registered here. Please use another one, or sign in another way and create a new one.",
  other_account: "Somebody else is signed in here by now. Please reload the page.",
  "sign-up.other_account": "You are signed in already. Sign out to create another account.",
  step_up_required: "Please sign in with your passkey again, then repeat.",
  grant_not_found: "This link or code does not work: it may be mistyped, used already, expired, or for another account. Check it, or ask for a new one.",
  preparing: "One moment, please.",
  confirming: "First confirm that it is you: follow the steps that your browser or device shows.",
  finishing: "Almost done.",
  waiting: "Follow the steps that your browser or device shows.",
  done: "Done.",
  "authenticate.other_name": "You are signed in as {name}.",
  "conditional-create.done": "Your password manager made a passkey: next time you can sign in without the password.",
});

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

const filled = (text) => text.replace("{address}", betterAddress);

/** Also `WebAuthnError`, for code that was written for SimpleWebAuthn. */
export class PasskeyError extends Error {
  constructor(code, { cause, status, envelope, retryAfter } = {}) {
    super(filled(MESSAGES[code] ?? MESSAGES.server), { cause });
    this.name = "PasskeyError";
    this.code = code;
    this.status = status;
    this.envelope = envelope;
    this.retryAfter = retryAfter;
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

/** The result of `work`, or `fallback` if that throws, rejects or returns nothing. */
async function attempt(work, fallback) {
  try {
    return (await work()) ?? fallback;
  } catch {
    return fallback;
  }
}

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

const CAPABILITIES = [
  "conditionalCreate",
  "conditionalGet",
  "hybridTransport",
  "passkeyPlatformAuthenticator",
  "relatedOrigins",
  "signalAllAcceptedCredentials",
  "signalCurrentUserDetails",
  "signalUnknownCredential",
  "userVerifyingPlatformAuthenticator",
];

export async function getBrowserCapabilities() {
  const told = await clientCapabilities();
  const inAWord = (value) => (value === undefined ? "unknown" : value ? "supported" : "unsupported");
  return Object.fromEntries(CAPABILITIES.map((name) => [name, inAWord(told[name])]));
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

/** What can be read and encoded, of a method such as getTransports() or else of the property. */
function members(from, encoders) {
  return gather(Object.keys(encoders), (name) => {
    const method = `get${name[0].toUpperCase()}${name.slice(1)}`;
    return read(() => encoders[name](from[method]())) ?? encoders[name](from[name]);
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

export const WebAuthnAbortService = {
  createNewAbortSignal() {
    this.cancelCeremony();
    page().current = new AbortController();
    return page().current.signal;
  },
  cancelCeremony() {
    page().current?.abort(new DOMException("Another ceremony began, or the page went away.", "AbortError"));
    page().current = null;
  },
};

/** Callers give any reason, old browsers none. */
function reasonOf({ reason }) {
  return reason?.name === "TimeoutError" ? reason : new DOMException("Somebody ended it.", "AbortError");
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
  const giveUp = () => controller.abort(new DOMException("The browser gave no answer.", "TimeoutError"));
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

const inOurWords = (work) =>
  work.catch((error) => {
    throw toPasskeyError(error);
  });

export async function startRegistration({ optionsJSON, useAutoRegister = false, signal }) {
  requireSupport();
  const options = { publicKey: parseCreationOptionsFromJSON(optionsJSON) };
  if (useAutoRegister) options.mediation = "conditional";
  return inOurWords(alone((controller) => perform("create", options, controller), signal));
}

export async function startAuthentication(given) {
  const { optionsJSON, useBrowserAutofill = false, verifyBrowserAutofillInput = true, signal } = given;
  requireSupport();
  const options = { publicKey: parseRequestOptionsFromJSON(optionsJSON) };
  if (useBrowserAutofill) {
    if (!(await browserSupportsWebAuthnAutofill())) throw new PasskeyError("unsupported");
    if (verifyBrowserAutofillInput && !document.querySelector(FIELD)) {
      throw new Error('No <input> whose autocomplete attribute ends in "webauthn" was found');
    }
    options.mediation = "conditional";
  }
  return inOurWords(alone((controller) => perform("get", options, controller), signal));
}

/* ---- signals to the password manager ---- */

/** Never rejects and waits at most a second: browsers do not report what a signal did. */
function tellManager(method, argument) {
  const sent = attempt(() => globalThis.PublicKeyCredential[method](argument));
  return Promise.race([sent, new Promise((resolve) => setTimeout(resolve, 1000))]);
}

export async function sendSignal({ signalName, rpID: rpId, userID: userId, credentialID: credentialId, ...others }) {
  const { allAcceptedCredentialIDs: allAcceptedCredentialIds, userName: name, userDisplayName = "" } = others;
  const method = `signal${signalName[0].toUpperCase()}${signalName.slice(1)}`;
  const told = {
    unknownCredential: { rpId, credentialId },
    allAcceptedCredentials: { rpId, userId, allAcceptedCredentialIds },
    currentUserDetails: { rpId, userId, name, displayName: userDisplayName },
  }[signalName];
  await tellManager(method, told);
}

/** Is it certain that the passkey is not stored? Then it is deleted forever: docs/proof/browser.md has the reasons. */
function isOrphan(action, code, { rp, excludeCredentials }, id) {
  if (!rp) return code === 40090;
  if (excludeCredentials?.some((known) => known.id === id)) return false;
  return [40025, 40019, 40093, 40094].includes(code) || (code === 40001 && action === "register");
}

function sendSignals({ rpId, userId, otherUserIds = [], allAcceptedCredentialIds, name, displayName }) {
  const both = (userId) => [
    tellManager("signalAllAcceptedCredentials", { rpId, userId, allAcceptedCredentialIds }),
    tellManager("signalCurrentUserDetails", { rpId, userId, name, displayName }),
  ];
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

const pathOf = (action) => (action === "authenticate" || action === "step-up" ? "/session/authn" : "/user/authn");

const sentence = (messages, action, code) => messages[`${action}.${code}`] ?? messages[code];

export class PasskeyClient {
  #kept = {}; // options fetched ahead and not used yet, by action

  constructor({ base, csrf, csrfHeader = "X-CSRFToken", messages, fetch, options } = {}) {
    this.base = base ?? defaultBase();
    this.csrf = csrf ?? (() => globalThis.document?.querySelector("meta[name='csrf-token']")?.content);
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
    const token = this.#token();
    if (token && !request.headers.has(this.csrfHeader)) request.headers.set(this.csrfHeader, token);
    const answer = await this.transport(request.clone());
    if (!(await wantsStepUp(answer))) return answer;
    delete this.#kept["step-up"]; // fetched before the view asked for more, say for a PIN
    const { signal } = request;
    const goOn = await this.stepUp({ signal }).catch((failed) => {
      if (failed.code !== "not_found") throw failed; // else the account has no passkey to confirm with
    });
    return goOn ? this.transport(request) : answer;
  }

  authenticate({ userName, uiMode, ...how } = {}) {
    const begin = userName ? () => this.#begin("authenticate", { user_name: userName }) : undefined;
    return this.#run("authenticate", how, () => this.#signIn("authenticate", { begin, uiMode, ...how }));
  }

  stepUp(how = {}) {
    return this.#run("step-up", how, () => this.#signIn("step-up", how));
  }

  register({ name, preset, userId, ...how } = {}) {
    const begin = () => this.prefetch("register", { userId });
    return this.#run("register", how, () => this.#create("register", begin, { name, preset, ...how }));
  }

  signUp({ name, displayName, fields, passkeyName, preset, ...how }) {
    const begin = async () => {
      if (!name.trim()) throw new PasskeyError("name_missing");
      const ceremony = await this.#begin("sign-up", { name, display_name: displayName || undefined, fields });
      // Older servers add to the open account.
      if (ceremony.publicKey.user.name !== name.replace(/[\u2066-\u2069]/g, "").trim().normalize()) throw new PasskeyError("other_account");
      return ceremony;
    };
    const work = () => this.#create("sign-up", begin, { name: passkeyName, preset, ...how });
    return this.#run("sign-up", how, work);
  }

  /** Nobody is signed in by it, and a code that was typed wrong can be typed again. */
  enrol(grant, { name, preset, ...how } = {}) {
    const begin = () => this.#begin("enrol", { grant });
    return this.#run("enrol", how, () => this.#create("enrol", begin, { name, preset, ...how }));
  }

  /** Never rejects and shows nothing, as the user did not ask for it. */
  async conditionalCreate({ timeout = 10_000, userId, signal } = {}) {
    if ((await clientCapabilities()).conditionalCreate !== true || page().current) return null;
    const begin = () => this.#begin("conditional-create", { conditional: true, user_id: userId });
    const options = { mediation: "conditional" };
    return attempt(() => this.#create("conditional-create", begin, { signal }, options, timeout), null);
  }

  list({ signal } = {}) {
    return this.#run("list", { signal }, async () => (await this.#call("GET", "/user/authn", { signal })).credentials);
  }

  rename(id, name, how = {}) {
    const call = () => this.#call("PATCH", `/user/authn/${id}`, { body: { name }, signal: how.signal });
    return this.#run("rename", how, call);
  }

  delete(id, how = {}) {
    const codes = { 409: "last_passkey" };
    const call = () => this.#call("DELETE", `/user/authn/${id}`, { codes, signal: how.signal });
    return this.#run("delete", how, call);
  }

  /** Fetch options before they are needed: Safari allows no waiting between the click and the dialog. */
  async prefetch(action = "authenticate", { userId, signal } = {}) {
    try {
      return await orAborted(signal, this.#fetchAhead(action, userId)); // others may wait for the same options
    } catch (error) {
      throw this.#inWords(error, action);
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
    this.#kept[action] = entry;
    entry.promise.catch(() => this.#kept[action] === entry && delete this.#kept[action]);
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
        const ceremony = await this.prefetch();
        if (stopped.aborted || page().current) return;
        const response = await alone((controller) => {
          const renew = () => controller.abort((expired = new DOMException("Renewed.", "AbortError")));
          renewal = setTimeout(renew, ceremony.began + ceremony.life * 0.75 - Date.now());
          const publicKey = parseRequestOptionsFromJSON(this.#asWanted(ceremony, "get", "autofill"));
          return perform("get", { publicKey, mediation: "conditional" }, controller);
        }, stopped);
        answered = true;
        data = await this.#finish("authenticate", ceremony, response, { signal: stopped });
      } catch (problem) {
        error = this.#inWords(problem, "authenticate");
      } finally {
        clearTimeout(renewal);
        armed = false;
      }
      if (stopped.aborted) return;
      if (data) {
        control.stop();
        onSuccess?.(data);
      } else if (answered) onError?.(error); // errors before a passkey is picked are not reported
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
        removeEventListener("pageshow", arm);
        for (const type of WAKING) document.removeEventListener(type, wake);
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
    addEventListener("pageshow", arm);
    for (const type of WAKING) document.addEventListener(type, wake);
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
        await this.stepUp({ signal, onPhase: confirming }).catch((failed) => {
          throw failed.code === "not_found" ? error : failed; // the account has no passkey to confirm with
        });
        return await work();
      }
    } catch (error) {
      const told = this.#inWords(error, action);
      if (told.code !== "aborted" || signal?.aborted) page().offer?.rearm();
      throw told;
    }
  }

  #inWords(problem, action) {
    const error = toPasskeyError(problem);
    error.action ??= action;
    error.message = filled(sentence(this.messages, error.action, error.code) ?? error.message);
    return error;
  }

  #signIn(action, { begin = () => this.prefetch(action), uiMode, signal, onPhase }) {
    requireSupport();
    return alone(async (controller) => {
      onPhase?.("preparing");
      const ceremony = await orAborted(controller.signal, begin());
      const options = { publicKey: this.#inTime(ceremony, "get", action, parseRequestOptionsFromJSON) };
      const immediate = uiMode === "immediate" && !options.publicKey.allowCredentials?.length;
      if (immediate && (await clientCapabilities()).immediateGet === true) options.uiMode = uiMode;
      onPhase?.("waiting");
      return this.#finish(action, ceremony, await perform("get", options, controller), { signal, onPhase });
    }, signal);
  }

  #create(action, begin, { name, preset, signal, onPhase }, options, patience) {
    requireSupport();
    return alone(async (controller) => {
      onPhase?.("preparing");
      const ceremony = await orAborted(controller.signal, begin());
      const chosen = { ...ceremony, publicKey: withPreset(ceremony.publicKey, preset) };
      const publicKey = this.#inTime(chosen, "create", action, parseCreationOptionsFromJSON);
      onPhase?.("waiting");
      const response = await perform("create", { publicKey, ...options }, controller, patience);
      return this.#finish(action, ceremony, response, { name, signal, onPhase });
    }, signal);
  }

  /** Close the browser's dialog when the ceremony ends on the server, even for options fetched ahead. */
  #inTime(ceremony, kind, action, parse) {
    const left = ceremony.began + ceremony.life - Date.now();
    return parse({ ...this.#asWanted(ceremony, kind, action), timeout: Math.max(left, 1000) });
  }

  #asWanted({ publicKey }, kind, action) {
    const copy = withoutNulls(publicKey);
    return this.options(copy, { kind, action }) ?? copy;
  }

  #token() {
    return typeof this.csrf === "function" ? this.csrf() : this.csrf;
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
    const codes = { 404: "expired", 409: "duplicate" };
    if (action === "sign-up") Object.assign(codes, { 409: "name_taken", 40091: "other_account" });
    const post = () =>
      this.#call("POST", path, { body, codes, signal }).catch(async (error) => {
        if (isOrphan(action, error.envelope?.code, publicKey, response.id)) {
          const rpId = publicKey.rpId ?? publicKey.rp.id;
          await tellManager("signalUnknownCredential", { rpId, credentialId: response.id });
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
      const credentials = credentialsFor(url);
      answer = await this.transport(url, { ...this.#request(method, body), credentials, signal: controller.signal });
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

  #request(method, body) {
    const headers = { Accept: "application/json" };
    const token = this.#token();
    if (token) headers[this.csrfHeader] = token;
    if (body) headers["Content-Type"] = "application/json";
    const request = { method, headers, cache: "no-store" };
    return body ? { ...request, body: JSON.stringify(body) } : request;
  }
}

/* For passkey.js alone: these may change at any time. */
export { dispatch, FIELD, filled, page, read, sentence, toPasskeyError };
