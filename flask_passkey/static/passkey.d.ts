/** Types of passkey.js, Flask-Passkey's browser module, on the DOM library of TypeScript 5.4 or newer. */

import type { PasskeyClient, PasskeyError } from "./passkey-client.js";

export * from "./passkey-client.js";

/*
 * Pages without a script
 *
 * On a button or a form:
 *   data-passkey            the action; a sign-up's form has fields "name" and "display_name", a rename's has "name"
 *   data-passkey-next       the page of this site to go to afterwards; empty: reload; missing: stay. A "next" in the
 *                           server's answer is preferred
 *   data-passkey-notice     what the next page is to say when this has worked: "Passkey renamed."
 *   data-passkey-field      on an input of a sign-up's form: send it to the app's create_user; passwords and files are not
 *   data-passkey-id         the passkey to rename or delete
 *   data-passkey-name       the name of a new one
 *   data-passkey-grant      the token or code of an "enrol"; a form may have a field "grant" instead, else it is what the
 *                           page's address has behind its #
 *   data-passkey-user       the account that the page was made for, by the app's id; another one gets nothing
 *   data-passkey-preset     where to keep a new one: see Preset
 *   data-passkey-names      on a sign-in's form: the server takes names (PASSKEY_USERNAME_FIRST), so send the one that was
 *                           typed; without it the field is for autofill only, so show it by data-passkey-if="conditionalGet"
 *   data-passkey-immediate  look only on this device at the first press, if the browser can
 *   data-passkey-autofill   offer passkeys in the page's name field, and treat a picked one as this element's sign-in
 * Anywhere:
 *   data-passkey-status     a live region for progress; its data-passkey-code has the code, for your style
 *   data-passkey-alert      one for errors; without it they are shown in the status
 *   data-passkey-scope      an element whose actions use the regions inside it; a form uses those inside itself
 *   data-passkey-if         show this only if passkeys are "available", or "unavailable", or by a capability's name
 *   data-passkey-why        a place for the reason why they are unavailable
 *   data-passkey-sync       bring the password manager up to date on this page, for example after a change of the name
 *   data-passkey-offer      call conditionalCreate(): see passkey.passkey_offered() on the server
 *   data-passkey-messages   on <script type="application/json">: your sentences; several add up, later ones win
 *   data-passkey-translation  on another: those of passkey_ui.messages(), in the visitor's language; yours win
 *   data-passkey-base       on <html>: what is in front of /session/authn, if this module is bundled or served from elsewhere
 */

/** The client behind the `data-passkey` attributes; `undefined` without a document. */
export const passkey: PasskeyClient | undefined;

/** Apply `data-passkey-if` and `data-passkey-why` in a part of the page. What is added to the document is seen by itself. */
export function show(root?: ParentNode): Promise<void>;

/**
 * Make a part of the page come alive, now and whenever something comes into it, whatever brings it: htmx, Turbo, a router.
 * The document is attached from the start, and a shadow root that is open when somebody points at it or focuses something
 * in it. Call this for others: those that are closed, and those with `data-passkey-if`, `-why` or `-autofill` in them.
 * @returns what lets go of it again
 */
export function attach(root?: Document | ShadowRoot): () => void;

declare global {
  interface GlobalEventHandlersEventMap {
    /** On the element of the action. If you prevent the default, the page stays and shows nothing. */
    "passkey:success": CustomEvent<any>;
    /** On the element of the action. If you prevent the default, the page shows nothing. */
    "passkey:error": CustomEvent<PasskeyError>;
  }
}
