/**
 * Niceties of the demo's pages. All of them work without this file: passkey.js does what matters, and the rest are
 * plain forms.
 */

const OFFER = "offer-local-passkey";
const DECLINED = "no-local-passkey"; // kept for good: nobody is asked at every sign-in
const NOTICE = "notice";

/** Days in the reader's own time zone and language; "today" says more than a date. */
function localiseTimes() {
  const { lang } = document.documentElement;
  const language = navigator.languages.find((tag) => tag.split("-")[0] === lang) ?? lang; // en-GB rather than en
  const date = new Intl.DateTimeFormat(language, { dateStyle: "long" });
  const full = new Intl.DateTimeFormat(language, { dateStyle: "full", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const midnight = (moment) => new Date(moment).setHours(0, 0, 0, 0);
  for (const time of document.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    const days = Math.round((midnight(moment) - midnight(Date.now())) / 86_400_000);
    time.textContent = "relative" in time.dataset && days > -7 ? relative.format(days, "day") : date.format(moment);
    time.title = full.format(moment);
  }
}

/** Say something on the page that comes next. */
function sayNext(text) {
  sessionStorage.setItem(NOTICE, text);
}

function sayNow(text) {
  const region = document.querySelector("main [data-passkey-status]");
  if (!region) return;
  region.textContent = text;
  region.dataset.passkeyCode = "done";
  region.scrollIntoView({ block: "nearest" }); // after a reload the page is where it was scrolled to
}

function onSuccess(event) {
  const { target, detail } = event;
  const { passkey: action, notice } = target.dataset;
  if (action === "rename") {
    event.preventDefault();
    showName(target, detail.name);
    sayNow(notice);
  } else if (notice) {
    sayNext(notice);
  }
  sessionStorage.removeItem(OFFER);
  const isFromElsewhere = action === "authenticate" && detail.authenticatorAttachment === "cross-platform";
  if (isFromElsewhere && !localStorage.getItem(DECLINED)) sessionStorage.setItem(OFFER, "1");
}

/** A name that will not do can be corrected at once. Who was signed out meanwhile is led to the sign-in. */
function onError(event) {
  const { code, message } = event.detail;
  const { name, grant } = event.target.elements ?? {};
  const field = name ?? (grant?.disabled ? null : grant);
  if (field && ["name_taken", "invalid", "grant_not_found"].includes(code)) {
    field.select();
  } else if (code === "sign_in_required") {
    event.preventDefault();
    sayNext(message);
    location.reload();
  }
}

/** Rename in place: wherever the row has the name, and back to the button that opened the form. */
function showName(form, name) {
  const row = form.closest(".row");
  const before = row.querySelector("[data-name]").textContent;
  for (const text of row.querySelectorAll("[data-name], .unseen, .dialog h2")) {
    text.textContent = text.textContent.replace(before, () => name);
  }
  form.elements.name.value = form.elements.name.defaultValue = name;
  const details = form.closest("details");
  details.open = false;
  details.querySelector("summary").focus();
}

/** Opening the form puts the cursor into it, Escape closes it again. */
function onToggle({ target }) {
  if (target.matches?.("details.rename") && target.open) target.querySelector("input").select();
}

function onKeydown(event) {
  const details = event.key === "Escape" && event.target.closest?.("details.rename[open]");
  if (!details) return;
  details.open = false;
  details.querySelector("form").reset();
  details.querySelector("summary").focus();
}

/** Who leaves a question with Tab has answered it: nothing stays open in front of where they go on. */
function onFocusout({ target, relatedTarget }) {
  const dialog = target.closest?.(".dialog[popover]");
  if (dialog && relatedTarget && !dialog.contains(relatedTarget)) dialog.hidePopover?.();
}

/** Who comes by a link has nothing to type. */
function showWay() {
  const field = document.querySelector("[data-passkey='enrol'] [name='grant']");
  if (!field) return;
  const isLink = location.hash.length > 1;
  field.disabled = isLink;
  for (const element of document.querySelectorAll("[data-if-link]")) element.hidden = !isLink;
  for (const element of document.querySelectorAll("[data-if-code]")) element.hidden = isLink;
}

document.addEventListener("passkey:success", onSuccess);
document.addEventListener("passkey:error", onError);
document.addEventListener("toggle", onToggle, true);
document.addEventListener("keydown", onKeydown);
document.addEventListener("focusout", onFocusout);
addEventListener("hashchange", showWay);
showWay();
const printer = document.querySelector("[data-print]");
if (printer) printer.hidden = false;
printer?.addEventListener("click", () => print());
localiseTimes();
// Screen readers only read out what changes after the page is there. So what it came with is said once more.
const regions = [...document.querySelectorAll("main [data-passkey-status], main [data-passkey-alert]")];
const notice = sessionStorage.getItem(NOTICE);
if (regions.length) sessionStorage.removeItem(NOTICE);
setTimeout(() => {
  for (const region of regions) if (region.textContent) region.textContent = region.textContent;
  if (notice) sayNow(notice);
}, 100);
const offer = document.querySelector("[data-offer]");
if (offer) offer.hidden = !sessionStorage.getItem(OFFER);
offer?.querySelector("[data-offer-decline]").addEventListener("click", () => {
  localStorage.setItem(DECLINED, "1");
  sessionStorage.removeItem(OFFER);
  offer.hidden = true;
  document.querySelector(".rename summary")?.focus(); // the button that had the focus is gone
});
