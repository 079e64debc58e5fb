/**
 * The ceremonies of Flask-Passkey in the browser, for any server, and without side effects: nothing happens until something
 * here is called. startRegistration(), startAuthentication() and the others are named as in SimpleWebAuthn 13 and 14.
 *
 * passkey-client.js is this, bound to the routes of the blueprint; passkey.js has the data-passkey attributes as well, and
 * passkey-later.js what a page seldom needs. Types and their documentation are in passkey-core.d.ts.
 * https://www.w3.org/TR/webauthn-3/
 */

const LIFE = 300_000; // milliseconds a ceremony lives, unless its options say otherwise
const GRACE = 15_000; // milliseconds after the browser's timeout until a ceremony is aborted
const FIELD = "input[autocomplete$='webauthn' i]";

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

/* ---- one ceremony at a time ---- */

/** What all copies of this module in a page share: one may be in a bundle, and one come with the page. */
const page = () => (globalThis[Symbol.for("flask-passkey")] ??= { current: null, offer: null, attached: new Map() });

/** What the layers above tell scripts of the page. */
function dispatch(element, name, detail) {
  return element.dispatchEvent(new CustomEvent(`passkey:${name}`, { bubbles: true, cancelable: true, composed: true, detail }));
}

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

/* For passkey-client.js and passkey.js alone: these may change at any time. */
export {
  alone,
  attempt,
  checkAborted,
  clientCapabilities,
  dispatch,
  ended,
  FIELD,
  inWords,
  late,
  LIFE,
  mediationFor,
  onAbort,
  orAborted,
  page,
  perform,
  read,
  sentence,
  tellManager,
  toPasskeyError,
  withoutNulls,
};
