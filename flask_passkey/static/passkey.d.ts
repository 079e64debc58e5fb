/** Types of passkey.js, Flask-Passkey's browser module, on the DOM library of TypeScript 5.4 or newer. */

/* 1. The ceremonies alone, named and called as in SimpleWebAuthn 13 */

/** `credential.toJSON()` of a credential that was created. All binary values are unpadded base64url text. */
export interface RegistrationResponseJSON {
  id: string;
  rawId: string;
  type: string;
  authenticatorAttachment?: string;
  clientExtensionResults: Record<string, any>;
  response: {
    clientDataJSON: string;
    attestationObject: string;
    authenticatorData?: string;
    transports?: string[];
    publicKey?: string;
    publicKeyAlgorithm?: number;
  };
}

/** `credential.toJSON()` of a credential that was used. */
export interface AuthenticationResponseJSON {
  id: string;
  rawId: string;
  type: string;
  authenticatorAttachment?: string;
  clientExtensionResults: Record<string, any>;
  response: {
    clientDataJSON: string;
    authenticatorData: string;
    signature: string;
    userHandle?: string;
  };
}

/** Options as the server sends them; with or without the `publicKey` around them. */
export type Wrapped<Options> = Options | { publicKey: Options };

/**
 * Create a passkey.
 * @param options.useAutoRegister create it without a dialog where the browser can (conditional create)
 * @throws {PasskeyError}
 */
export function startRegistration(options: {
  optionsJSON: Wrapped<PublicKeyCredentialCreationOptionsJSON>;
  useAutoRegister?: boolean;
}): Promise<RegistrationResponseJSON>;

/**
 * Use a passkey.
 * @param options.useBrowserAutofill wait until one is picked among the suggestions of a text field
 * @param options.verifyBrowserAutofillInput then insist on a field whose `autocomplete` ends in `webauthn`
 * @throws {PasskeyError}
 */
export function startAuthentication(options: {
  optionsJSON: Wrapped<PublicKeyCredentialRequestOptionsJSON>;
  useBrowserAutofill?: boolean;
  verifyBrowserAutofillInput?: boolean;
}): Promise<AuthenticationResponseJSON>;

export function browserSupportsWebAuthn(): boolean;
export function browserSupportsWebAuthnAutofill(): Promise<boolean>;
export function platformAuthenticatorIsAvailable(): Promise<boolean>;

/** There is one ceremony at a time; a new one ends the one before. */
export const WebAuthnAbortService: {
  createNewAbortSignal(): AbortSignal;
  cancelCeremony(): void;
};

/** The browser's own parser, or the same without it; tolerates nulls. */
export function parseCreationOptionsFromJSON(
  json: Wrapped<PublicKeyCredentialCreationOptionsJSON>,
): PublicKeyCredentialCreationOptions;
export function parseRequestOptionsFromJSON(
  json: Wrapped<PublicKeyCredentialRequestOptionsJSON>,
): PublicKeyCredentialRequestOptions;

/** `credential.toJSON()`, also where a password manager broke it. */
export function credentialToJSON(credential: Credential): RegistrationResponseJSON | AuthenticationResponseJSON;

/** Why passkeys cannot work on this page; `null` when they can. */
export function whyUnavailable(): "insecure" | "domain" | "unsupported" | null;

/* Errors */

export type PasskeyErrorCode =
  /** Replaced by another ceremony, or the page went away: show nothing. */
  | "aborted"
  /** The person did not go on, or there was no passkey: browsers do not tell which. */
  | "cancelled"
  | "expired"
  | "duplicate"
  | "domain"
  | "insecure"
  | "unsupported"
  | "unsupported_device"
  | "busy"
  | "authenticator"
  | "network"
  | "server"
  | "unavailable"
  | "rate_limited"
  | "sign_in_required"
  | "forbidden"
  | "invalid"
  | "not_found"
  | "name_taken"
  | "too_many_passkeys"
  | "last_passkey"
  | "switched_off"
  | "rejected"
  | "unknown_credential"
  | "step_up_required";

/** The blueprint's answer to everything. */
export interface Envelope<Data = unknown> {
  code: number;
  msg: string;
  data: Data | null;
  correlation_id?: string;
  error?: string;
  aggregated_error?: Record<string, Envelope>;
}

export class PasskeyError extends Error {
  /** `message` is one sentence, ready to show. */
  constructor(
    code: PasskeyErrorCode,
    details?: { cause?: unknown; status?: number; envelope?: Envelope; retryAfter?: number },
  );
  readonly code: PasskeyErrorCode;
  /** What the client was asked to do. */
  action?: Action;
  /** HTTP status, where the server refused. */
  readonly status?: number;
  /** The server's answer, where there is one. */
  readonly envelope?: Envelope;
  /** Seconds to wait. */
  readonly retryAfter?: number;
}

/** What a client is asked to do, as in `data-passkey`. */
export type Action = "authenticate" | "step-up" | "register" | "sign-up" | "conditional-create" | "rename" | "delete" | "list";

/** What there is a sentence for: a code, or what is said while an action runs and when it is done. */
export type Sayable = PasskeyErrorCode | "waiting" | "done";

/** A key of the messages: `"cancelled"` for all actions, `"register.cancelled"` for one, which comes first. */
export type MessageKey = Sayable | `${Action}.${Sayable}`;

/** Every sentence that this module can show, in English. */
export const MESSAGES: Readonly<Record<Sayable, string> & Partial<Record<MessageKey, string>>>;

/* 2. The same, bound to the routes of the blueprint */

export interface PasskeyCredential {
  id: string;
  name: string;
  /** RFC 3339, UTC. */
  created_at: string;
  used_at: string | null;
  aaguid: string;
  provider: { name: string; icon_light?: string; icon_dark?: string } | null;
  transports: string[];
  backup_eligible: boolean;
  backup_state: boolean;
  /** The one this session signed in with. */
  current: boolean;
}

/** What the browser told besides the credential. Never sent to the server whole: `prf` results are secrets. */
export interface FromBrowser {
  authenticatorAttachment?: string;
  clientExtensionResults: Record<string, any>;
}

export interface SignedIn extends FromBrowser {
  user: { id: string; name: string; display_name: string };
  credential: PasskeyCredential;
  signals: Signals;
  /** Where to go, where the app's sign-in hook says so. */
  next?: string;
  /** Whatever else the app's sign-in hook returns. */
  [key: string]: unknown;
}

export interface Signals {
  rpId: string;
  userId: string;
  /** More user handles, where the account was brought along from another system. */
  otherUserIds?: string[];
  allAcceptedCredentialIds: string[];
  name: string;
  displayName: string;
}

/** Where the new passkey should live; `undefined` leaves the choice to the person. */
export type Preset = "this-device" | "another-device" | "security-key";

export interface PasskeyClientOptions {
  /** What is before `/session/authn`; by default taken from the address of this module. */
  base?: string;
  /** CSRF token of the app; by default the content of `<meta name="csrf-token">`. */
  csrf?: string | (() => string | undefined);
  csrfHeader?: string;
  /**
   * Sentences instead of those of {@link MESSAGES}, and of those in the page:
   * `<script type="application/json" data-passkey-messages>{"cancelled": "…"}</script>`.
   */
  messages?: Partial<Record<MessageKey, string>>;
  fetch?: typeof fetch;
}

/**
 * Every method rejects with a {@link PasskeyError}. Where the server wants a fresh passkey sign-in first (code 40091),
 * it is asked for and the call repeated once.
 */
export class PasskeyClient {
  constructor(options?: PasskeyClientOptions);
  readonly messages: Record<Sayable, string> & Partial<Record<MessageKey, string>>;
  /** What browser and device can do, by the names of `getClientCapabilities()`. Never rejects. */
  capabilities(): Promise<
    { passkeys: boolean; conditionalGet: boolean; platform: boolean } & Partial<Record<string, boolean>>
  >;
  /**
   * Sign in with the browser's dialog; call it from a click.
   * @param options.userName only passkeys of this account; the app must have it switched on
   * @param options.uiMode `"immediate"`: only passkeys that are right here, else reject as `cancelled` without a dialog;
   *   ignored where the browser cannot, and with a `userName`
   */
  authenticate(options?: { userName?: string; uiMode?: "immediate" }): Promise<SignedIn>;
  /** Confirm who is there with one of the account's passkeys. */
  stepUp(): Promise<SignedIn>;
  /** Add a passkey to the signed-in account. */
  register(options?: { name?: string; preset?: Preset }): Promise<PasskeyCredential & FromBrowser>;
  /** Create an account together with its first passkey; it is signed in then. */
  signUp(options: {
    name: string;
    displayName?: string;
    passkeyName?: string;
    preset?: Preset;
  }): Promise<PasskeyCredential & FromBrowser>;
  /**
   * After a sign-in with a password: have the password manager make a passkey, without a dialog. Only where the browser
   * can, and the server has offered it (`passkey.offer_passkey()`). Never rejects, and ends when anything else begins.
   * @param options.timeout milliseconds that the browser has; 10,000 unless given
   * @returns `null` where none was made, for whatever reason
   */
  conditionalCreate(options?: { timeout?: number }): Promise<(PasskeyCredential & FromBrowser) | null>;
  /** The account's passkeys. Also brings the password manager up to date. */
  list(): Promise<PasskeyCredential[]>;
  rename(id: string, name: string): Promise<PasskeyCredential>;
  delete(id: string): Promise<{ signals: Signals }>;
  /** Fetch the options of a ceremony before the click. Kept for half their life, or until used. */
  prefetch(action?: "authenticate" | "step-up" | "register"): Promise<unknown>;
  /**
   * Offer passkeys among the suggestions of the field whose `autocomplete` ends in `webauthn`, renewed before the
   * server forgets it. Does nothing where the browser cannot.
   * @param options.onError what the server said of the passkey that was picked; nothing else is worth telling
   */
  autofill(options?: {
    onSuccess?: (data: SignedIn) => void;
    onError?: (error: PasskeyError) => void;
  }): Promise<{ stop(): void; rearm(): Promise<void> }>;
}

/*
 * 3. Pages without a script of their own
 *
 * On a button or a form:
 *   data-passkey            the action; of a sign-up the form has fields "name" and "display_name", of a rename "name"
 *   data-passkey-next       where to go then, on this site; empty: load the page again; missing: stay. A "next" in the
 *                           server's answer comes first
 *   data-passkey-id         the passkey to rename or delete
 *   data-passkey-name       what to call a new one
 *   data-passkey-preset     where a new one should live: see Preset
 *   data-passkey-immediate  look only on this device at the first press, where the browser can
 *   data-passkey-autofill   offer passkeys in the page's name field, and treat a picked one as this element's sign-in
 * Anywhere:
 *   data-passkey-status     a live region that says how it goes; its data-passkey-code has the code, for your style
 *   data-passkey-alert      one for what is wrong; without it that is said in the status
 *   data-passkey-scope      around actions that have such regions of their own
 *   data-passkey-if         show this only where passkeys are "available", or "unavailable", or by a capability's name
 *   data-passkey-why        a place for the reason why not
 *   data-passkey-sync       have this page tell the password manager what there is, as after a change of the name
 *   data-passkey-offer      call conditionalCreate(): see passkey.passkey_offered() on the server
 *   data-passkey-messages   on <script type="application/json">: sentences of your own; several add up, the last one wins
 *   data-passkey-base       on <html>: what is before /session/authn, where this module is served from elsewhere
 */

/** The client behind the `data-passkey` attributes; `undefined` where there is no document. */
export const passkey: PasskeyClient | undefined;

/** Look at `data-passkey-if` and `data-passkey-why` again, in a part of the page that was added later. */
export function show(root?: ParentNode): Promise<void>;

declare global {
  interface GlobalEventHandlersEventMap {
    /** On the element of the action; prevent the default, and the page stays and nothing is said. */
    "passkey:success": CustomEvent<any>;
    /** Prevent the default, and nothing is said. */
    "passkey:error": CustomEvent<PasskeyError>;
    /** On the document, for every answer of the server: to look at while developing. */
    "passkey:exchange": CustomEvent<{
      method: string;
      path: string;
      body?: any;
      status: number;
      envelope?: Envelope<any>;
    }>;
  }
}
