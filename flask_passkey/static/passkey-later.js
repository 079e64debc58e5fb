/**
 * What few pages need, and later than the rest of Flask-Passkey: passkey-core.js loads it when the first of it is needed.
 *
 * It imports nothing, and whoever uses it can do without: while a new release is rolled out, a page may get that of another.
 */

/** One English sentence for each refusal, and what is seldom said. "action.code" is preferred to "code". */
export const REFUSALS = {
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
  "conditional-create.done": "Your password manager made a passkey: next time you can sign in without the password.",
};

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

/** What getBrowserCapabilities() returns, also of what the browser did not speak of. */
export function capabilitiesInWords(told) {
  const inAWord = (value) => (value === undefined ? "unknown" : value ? "supported" : "unsupported");
  return Object.fromEntries(CAPABILITIES.map((name) => [name, inAWord(told[name])]));
}

/** From SimpleWebAuthn's names to the browser's, which takes what it wants of one and the same argument. */
export function sendSignal({ signalName, rpID: rpId, userID: userId, credentialID: credentialId, ...others }, tellManager) {
  const { allAcceptedCredentialIDs: allAcceptedCredentialIds, userName: name, userDisplayName: displayName = name && "" } = others;
  return tellManager(signalName, { rpId, userId, credentialId, allAcceptedCredentialIds, name, displayName });
}

/** Which field of its form an error is about; of what is invalid the server says the name. */
function fieldOf({ elements }, { code, envelope }) {
  const [, invalid] = /(\w+)\W*$/.exec(envelope?.msg) ?? []; // "The request is malformed: fields.mail."
  const name = { name_missing: "name", name_taken: "name", grant_not_found: "grant", invalid }[code];
  const field = name && elements?.namedItem(name);
  return field?.setAttribute && field;
}

let regions = 0; // that got an id

/** Mark the field that an error is about, and tie the message to it, until somebody changes it or tries again. */
export function blame(form, error, region) {
  const field = fieldOf(form, error);
  if (!field) return;
  const before = field.getAttribute("aria-describedby");
  field.setAttribute("aria-invalid", "true");
  if (region?.getRootNode() === field.getRootNode()) {
    region.id ||= `passkey-said-${++regions}`;
    const ids = before?.split(/\s+/) ?? [];
    if (!ids.includes(region.id)) field.setAttribute("aria-describedby", [...ids, region.id].join(" "));
  }
  const over = new AbortController();
  const forgive = () => {
    field.removeAttribute("aria-invalid");
    if (before === null) field.removeAttribute("aria-describedby");
    else field.setAttribute("aria-describedby", before);
    over.abort();
  };
  field.addEventListener("input", forgive, { signal: over.signal });
  field.form.addEventListener("submit", forgive, { signal: over.signal });
}
