/**
 * PasskeyClient: the ceremonies of passkey-core.js, bound to the routes and the envelope of the blueprint.
 *
 * All of passkey-core.js can be imported from here, too, and this does nothing either until something is called. Types and
 * their documentation are in passkey-client.d.ts.
 */

import {
  alone,
  attempt,
  browserSupportsWebAuthnAutofill,
  checkAborted,
  clientCapabilities,
  dispatch,
  ended,
  FIELD,
  inWords,
  LIFE,
  mediationFor,
  MESSAGES,
  onAbort,
  orAborted,
  page,
  parseCreationOptionsFromJSON,
  parseRequestOptionsFromJSON,
  PasskeyError,
  perform,
  platformAuthenticatorIsAvailable,
  read,
  tellManager,
  toPasskeyError,
  whyUnavailable,
  withoutNulls,
} from "./passkey-core.js";

export {
  MESSAGES,
  PasskeyError,
  WebAuthnAbortService,
  WebAuthnError,
  base64URLStringToBuffer,
  browserSupportsPasskeys,
  browserSupportsWebAuthn,
  browserSupportsWebAuthnAutofill,
  bufferToBase64URLString,
  credentialToJSON,
  getBrowserCapabilities,
  loadMessages,
  parseCreationOptionsFromJSON,
  parseRequestOptionsFromJSON,
  platformAuthenticatorIsAvailable,
  sendSignal,
  startAuthentication,
  startRegistration,
  whyUnavailable,
} from "./passkey-core.js";

const ANSWER = 30_000; // milliseconds that the server has for an answer
const WAKING = ["visibilitychange", "focusin", "click"]; // events after which autofill is offered again

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

const PARSERS = { create: parseCreationOptionsFromJSON, get: parseRequestOptionsFromJSON };

function requireSupport() {
  const why = whyUnavailable();
  if (why) throw new PasskeyError(why);
}

/** The response without the secrets that an authenticator computes for the page only. */
function withoutSecrets(response) {
  const { prf, hmacGetSecret, ...results } = response.clientExtensionResults ?? {};
  if (prf) results.prf = { enabled: prf.enabled };
  return { ...response, clientExtensionResults: results };
}

/* ---- signals to the password manager ---- */

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

/* ---- what requests and options need ---- */

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

/* ---- the blueprint's routes ---- */

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
