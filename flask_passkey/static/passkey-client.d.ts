/** Types of passkey-client.js, Flask-Passkey's client, on the DOM library of TypeScript 5.4 or newer. */

import type {
  Action,
  CreationOptionsJSON,
  Envelope,
  ExtensionResults,
  MESSAGES,
  MessageKey,
  PasskeyError,
  Phase,
  RequestOptionsJSON,
  SaidAtOnce,
} from "./passkey-core.js";

export * from "./passkey-core.js";

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
  /** Did this session sign in with it? */
  current: boolean;
}

/** What the browser reports besides the credential. `prf` results are secrets and never sent to the server. */
export interface FromBrowser {
  authenticatorAttachment?: string;
  clientExtensionResults: ExtensionResults;
}

export interface SignedIn extends FromBrowser {
  user: { id: string; name: string; display_name: string };
  credential: PasskeyCredential;
  signals: Signals;
  /** The page to go to, if the app's sign-in hook returns one. */
  next?: string;
  /** What else the app's sign-in hook returns. */
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

/** Where the new passkey is to be kept; `undefined` leaves the choice to the user. */
export type Preset = "this-device" | "another-device" | "security-key";

export interface PasskeyClientOptions {
  /**
   * What is in front of `/session/authn`, a path or, for an API on another origin, an address. By default it is what
   * `data-passkey-base` says, else it is taken from the address of this module; in a bundle it is empty.
   */
  base?: string;
  /** CSRF token of the app; by default the content of `<meta name="csrf-token">`. */
  csrf?: string | (() => string | undefined);
  csrfHeader?: string;
  /**
   * Sentences that replace those of {@link MESSAGES} and those in the page:
   * `<script type="application/json" data-passkey-messages>{"cancelled": "…"}</script>`.
   */
  messages?: Partial<Record<MessageKey, string>>;
  /** Sends every request, in the place of the browser's. */
  fetch?: typeof fetch;
  /**
   * Changes the JSON of the options before the browser gets them, for example their `extensions` or `hints`; bytes are
   * base64url text. It returns them, or changes what it is given. It must not wait: the browser wants a fresh click.
   */
  options?: (publicKey: OptionsJSON, about: { kind: "create" | "get"; action: Action | "autofill" }) => OptionsJSON | void;
}

/** Options of both kinds, as the server sends them. */
export type OptionsJSON = Partial<CreationOptionsJSON & RequestOptionsJSON> &
  Record<string, any>;

/** Ends what a method does; it then rejects as `aborted`, or as `expired` after `AbortSignal.timeout()`. */
export interface Stoppable {
  signal?: AbortSignal;
  /** Called when a phase begins; not by `list()` and `prefetch()`. */
  onPhase?: (phase: Phase) => void;
}

/**
 * Every method rejects with a {@link PasskeyError}. If the server wants a fresh passkey sign-in first (code 40091), the
 * method steps up and repeats the call once.
 */
export class PasskeyClient {
  constructor(options?: PasskeyClientOptions);
  /** The sentences of the page and its app, and those that are there from the start. */
  readonly messages: Record<SaidAtOnce, string> & Partial<Record<MessageKey, string>>;
  /** What browser and device can do, under the names of `getClientCapabilities()`. Never rejects. */
  capabilities(): Promise<
    { passkeys: boolean; conditionalGet: boolean; platform: boolean } & Partial<Record<string, boolean>>
  >;
  /**
   * Sign in with the browser's dialog; call it from a click.
   * @param options.userName offer only passkeys of this account; needs `PASSKEY_USERNAME_FIRST`
   * @param options.uiMode `"immediate"`: offer only passkeys on this device; without one reject as `cancelled`, without
   *   a dialog. Ignored with a `userName`, and if the browser cannot
   */
  authenticate(options?: { userName?: string; uiMode?: "immediate" } & Stoppable): Promise<SignedIn>;
  /**
   * The browser's `fetch()` for the app's own views: if `@passkey.required` answers 40091, it steps up and repeats the
   * request once. The CSRF token goes along, and cookies go to an API on another origin. Call it from a click.
   * @throws {PasskeyError} if somebody does not confirm; for all else what `fetch()` throws
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Step up: confirm with one of the account's passkeys. */
  stepUp(options?: Stoppable): Promise<SignedIn>;
  /**
   * Add a passkey to the signed-in account.
   * @param options.userId the account that the page was made for, as in `user.id` of a sign-in; refused if another is open
   */
  register(
    options?: { name?: string; preset?: Preset; userId?: string } & Stoppable,
  ): Promise<PasskeyCredential & FromBrowser>;
  /**
   * Create an account with its first passkey, and sign it in.
   * @param options.fields what else the app's `create_user` wants to know
   */
  signUp(options: {
    name: string;
    displayName?: string;
    fields?: Record<string, string>;
    passkeyName?: string;
    preset?: Preset;
    signal?: AbortSignal;
    onPhase?: (phase: Phase) => void;
  }): Promise<PasskeyCredential & FromBrowser>;
  /**
   * Add a passkey with a one-time link or a recovery code. Nobody is signed in by it: ask for a sign-in next.
   * @param grant the token, which links have behind their `#`, or the code as somebody typed it
   */
  enrol(
    grant: string,
    options?: { name?: string; preset?: Preset } & Stoppable,
  ): Promise<PasskeyCredential & FromBrowser>;
  /**
   * After a sign-in with a password: let the password manager make a passkey, without a dialog. Only if the browser can,
   * and the server has offered it (`passkey.offer_passkey()`). Never rejects, and ends when another ceremony begins.
   * @param options.timeout milliseconds that the browser has; 10,000 unless given
   * @param options.userId the account that the page was made for
   * @returns `null` if none was made, for whatever reason
   */
  conditionalCreate(
    options?: { timeout?: number; userId?: string } & Stoppable,
  ): Promise<(PasskeyCredential & FromBrowser) | null>;
  /** Return the account's passkeys. Also brings the password manager up to date. */
  list(options?: Stoppable): Promise<PasskeyCredential[]>;
  rename(id: string, name: string, options?: Stoppable): Promise<PasskeyCredential>;
  delete(id: string, options?: Stoppable): Promise<{ signals: Signals }>;
  /** Fetch the options of a ceremony before the click. They are kept for half their life, or until used. */
  prefetch(
    action?: "authenticate" | "step-up" | "register",
    options?: { userId?: string } & Stoppable,
  ): Promise<unknown>;
  /**
   * Offer passkeys among the suggestions of the field whose `autocomplete` ends in `webauthn`. The ceremony is renewed
   * before it expires on the server. Does nothing if the browser cannot. There is one autofill a page: a call ends the
   * one before, whose callbacks are not called any more. `stop()` and the signal end it at once, and the next call offers
   * passkeys again. Thus, in React: `const ending = new AbortController(); client.autofill({ signal: ending.signal, … });
   * return () => ending.abort();`
   * @param options.onError called if the server refuses the passkey that was picked, and for no other error
   */
  autofill(options?: {
    onSuccess?: (data: SignedIn) => void;
    onError?: (error: PasskeyError) => void;
    signal?: AbortSignal;
    /** Where the field is, if it is in a shadow root. */
    root?: ParentNode;
  }): Promise<{ stop(): void; rearm(): Promise<void> }>;
}

declare global {
  interface GlobalEventHandlersEventMap {
    /** On the document, for every answer of the server: for development. */
    "passkey:exchange": CustomEvent<{
      method: string;
      path: string;
      body?: any;
      status: number;
      envelope?: Envelope<any>;
    }>;
  }
}
