/**
 * Types of passkey-core.js, the ceremonies of Flask-Passkey, on the DOM library of TypeScript 5.4 or newer. They are named and
 * called as in SimpleWebAuthn 13 and 14.
 */

/** What the browser answered to extensions; all of it is optional. Bytes are unpadded base64url text. */
export interface ExtensionResults {
  credProps?: { rk?: boolean };
  prf?: { enabled?: boolean; results?: { first: string; second?: string } };
  largeBlob?: { supported?: boolean; blob?: string; written?: boolean };
  [name: string]: any;
}

/** `credential.toJSON()` of a credential that was created. All binary values are unpadded base64url text. */
export interface RegistrationResponseJSON {
  id: string;
  rawId: string;
  type: string;
  authenticatorAttachment?: string;
  clientExtensionResults: ExtensionResults;
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
  clientExtensionResults: ExtensionResults;
  response: {
    clientDataJSON: string;
    authenticatorData: string;
    signature: string;
    userHandle?: string;
  };
}

/** `PublicKeyCredentialDescriptorJSON`, which older DOM libraries do not have; likewise the others. */
export interface DescriptorJSON {
  id: string;
  type: string;
  transports?: string[];
}

/** Options for `create()`. All binary values are base64url text. */
export interface CreationOptionsJSON {
  rp: { id?: string; name: string };
  user: { id: string; name: string; displayName: string };
  challenge: string;
  pubKeyCredParams: { type: string; alg: number }[];
  timeout?: number;
  excludeCredentials?: DescriptorJSON[];
  authenticatorSelection?: AuthenticatorSelectionCriteria;
  hints?: string[];
  attestation?: string;
  extensions?: Record<string, any>;
}

/** Options for `get()`. All binary values are base64url text. */
export interface RequestOptionsJSON {
  challenge: string;
  timeout?: number;
  rpId?: string;
  allowCredentials?: DescriptorJSON[];
  userVerification?: string;
  hints?: string[];
  extensions?: Record<string, any>;
}

/** Options as the server sends them, with or without `publicKey` around them. */
export type Wrapped<Options> = Options | { publicKey: Options };

/**
 * Create a passkey.
 * @param options.useAutoRegister create it without a dialog, if the browser can (conditional create)
 * @throws {PasskeyError}
 */
export function startRegistration(options: {
  optionsJSON: Wrapped<CreationOptionsJSON>;
  useAutoRegister?: boolean;
  signal?: AbortSignal;
}): Promise<RegistrationResponseJSON>;

/**
 * Use a passkey.
 * @param options.useBrowserAutofill wait until the user picks one among the suggestions of a text field
 * @param options.verifyBrowserAutofillInput then require a field whose `autocomplete` ends in `webauthn`
 * @throws {PasskeyError}
 */
export function startAuthentication(options: {
  optionsJSON: Wrapped<RequestOptionsJSON>;
  useBrowserAutofill?: boolean;
  verifyBrowserAutofillInput?: boolean;
  signal?: AbortSignal;
}): Promise<AuthenticationResponseJSON>;

export function browserSupportsWebAuthn(): boolean;
export function browserSupportsWebAuthnAutofill(): Promise<boolean>;
export function platformAuthenticatorIsAvailable(): Promise<boolean>;

export function browserSupportsPasskeys(): Promise<boolean>;

/** What the browser says of itself, in words; `capabilities()` of a `PasskeyClient` has it as booleans, and more of it. */
export function getBrowserCapabilities(): Promise<Record<string, "supported" | "unsupported" | "unknown">>;

/** Tell the password manager one thing. Never rejects because of the browser. A `PasskeyClient` does it all by itself. */
export function sendSignal(
  options:
    | { signalName: "unknownCredential"; rpID: string; credentialID: string }
    | { signalName: "allAcceptedCredentials"; rpID: string; userID: string; allAcceptedCredentialIDs: string[] }
    | { signalName: "currentUserDetails"; rpID: string; userID: string; userName: string; userDisplayName?: string },
): Promise<void>;

export function base64URLStringToBuffer(text: string): ArrayBuffer;
export function bufferToBase64URLString(buffer: ArrayBuffer): string;

/** There is one ceremony at a time; a new one aborts the previous one. */
export const WebAuthnAbortService: {
  createNewAbortSignal(): AbortSignal;
  cancelCeremony(): void;
};

/** The same as the browser's parser makes, without calling it; tolerates nulls, and base64 of both kinds. */
export function parseCreationOptionsFromJSON(
  json: Wrapped<CreationOptionsJSON>,
): PublicKeyCredentialCreationOptions;
export function parseRequestOptionsFromJSON(
  json: Wrapped<RequestOptionsJSON>,
): PublicKeyCredentialRequestOptions;

/**
 * The same as `credential.toJSON()` makes, without calling it: from the bytes, in any form that password managers' scripts
 * give them. What cannot be read is left out.
 */
export function credentialToJSON(credential: Credential): RegistrationResponseJSON | AuthenticationResponseJSON;

/** Why passkeys cannot work on this page; `null` when they can. */
export function whyUnavailable(): "insecure" | "loopback" | "domain" | "unsupported" | null;

/* Errors */

export type PasskeyErrorCode =
  /** Another ceremony began, or the page was left: show nothing. */
  | "aborted"
  /** The user cancelled, or there was no passkey: browsers do not tell which. */
  | "cancelled"
  | "expired"
  | "duplicate"
  | "domain"
  /** `127.0.0.1` or `[::1]`, where `localhost` would work: the sentence says so. */
  | "loopback"
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
  | "name_missing"
  | "not_found"
  | "name_taken"
  | "too_many_passkeys"
  | "last_passkey"
  | "switched_off"
  | "rejected"
  | "unknown_credential"
  /** Somebody is signed in, and it is not whom the page was made for. */
  | "other_account"
  | "step_up_required"
  /** The link or code was used, has expired, or is for another account than the one signed in. */
  | "grant_not_found";

/** The form of every answer of the blueprint. */
export interface Envelope<Data = unknown> {
  code: number;
  msg: string;
  data: Data | null;
  correlation_id?: string;
  error?: string;
  aggregated_error?: Record<string, Envelope>;
}

export class PasskeyError extends Error {
  /** The browser's own name of the error is in `cause.name`. */
  readonly name: "PasskeyError";
  /** `message` is one sentence, to show as it is; of an error that you make yourself, if `loadMessages()` has been called. */
  constructor(
    code: PasskeyErrorCode,
    details?: { cause?: unknown; status?: number; envelope?: Envelope; retryAfter?: number },
  );
  readonly code: PasskeyErrorCode;
  /** What the client was asked to do. */
  action?: Action;
  /** HTTP status, if the server refused. */
  readonly status?: number;
  /** The server's answer, if there is one. */
  readonly envelope?: Envelope;
  /** Seconds to wait. */
  readonly retryAfter?: number;
}

/** The name that SimpleWebAuthn gives its errors; the codes are ours. */
export const WebAuthnError: typeof PasskeyError;
export type WebAuthnError = PasskeyError;

/** What a client is asked to do, as in `data-passkey`. */
export type Action =
  | "authenticate"
  | "step-up"
  | "register"
  | "sign-up"
  | "enrol"
  | "conditional-create"
  | "rename"
  | "delete"
  | "list";

/**
 * What an action is at: the server prepares, the browser waits for the person, it does so for a step-up that comes first,
 * the server answers.
 */
export type Phase = "preparing" | "waiting" | "confirming" | "finishing";

/** What has a sentence: a code, a phase, a finished action ("done"). `{address}` is this page's at localhost. */
export type Sayable = PasskeyErrorCode | Phase | "done";

/** A key of the messages: `"cancelled"` for all actions, `"register.cancelled"` for one, which is preferred. */
export type MessageKey = Sayable | `${Action}.${Sayable}` | "authenticate.other_name";

/** The codes whose sentences are there from the start. */
export type SaidAtOnce = "aborted" | "network" | "server" | Phase | "done";

/** English sentences: from the start those that are needed at once, after `loadMessages()` every one that can be shown. */
export const MESSAGES: Readonly<Record<SaidAtOnce, string> & Partial<Record<MessageKey, string>>>;

/**
 * Load the rest of {@link MESSAGES}, from `passkey-later.js`; whatever rejects with a {@link PasskeyError} has done so. Never
 * rejects: without them, the sentence of `"server"` is shown.
 */
export function loadMessages(): Promise<typeof MESSAGES>;
