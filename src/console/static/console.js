// Comforts for the console. Every page does its work without this file: it copies values, puts times into the
// reader's zone, searches while one types, and brings in what changes on the server. What it puts into a page is
// always a part of a page of this console, rendered by the server; nothing is made from text.
"use strict";

const SEARCH_AFTER_MS = 250;
const REFRESH_EVERY_MS = 2000;
const STREAM_PAUSE_MS = 1000;

// ---- What is said to those who do not see the page change ----

const voice = document.createElement("p");
voice.className = "visually-hidden";
voice.setAttribute("role", "status");
document.body.append(voice);

function say(text) {
  if (text && voice.textContent !== text) voice.textContent = text;
}

// ---- Times: <time data-local datetime="…Z"> is shown in the reader's zone; its title keeps the exact instant ----

const parts = { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" };
const inThisYear = new Intl.DateTimeFormat(undefined, parts);
const inAnyYear = new Intl.DateTimeFormat(undefined, { year: "numeric", ...parts });

function localize(root) {
  for (const time of root.querySelectorAll("time[data-local]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const format = at.getFullYear() === new Date().getFullYear() ? inThisYear : inAnyYear;
    time.textContent = format.format(at);
  }
}

// ---- Copying: <button data-copy="#id" hidden> is shown only where there is a script to answer it ----

function offerCopies(root) {
  for (const button of root.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

async function copy(button) {
  const source = document.querySelector(button.dataset.copy);
  if (!source) return;
  let copied = false;
  try {
    await navigator.clipboard.writeText(source.textContent);
    copied = true;
  } catch {
    // Without TLS there is no clipboard to write to: mark the text, and try the old way.
    getSelection().selectAllChildren(source);
    copied = document.execCommand("copy");
  }
  button.dataset.label ??= button.textContent;
  button.textContent = copied ? "Copied" : "Press Ctrl+C";
  say(copied ? "Copied" : "The text is marked: press Ctrl+C to copy it");
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { button.textContent = button.dataset.label; }, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});

// ---- Parts of pages ----

// The page at an address, parsed. A redirect (to the sign-in) is a fault, as an error is.
async function page(address, signal) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, credentials: "same-origin", signal });
  if (answer.redirected || !answer.ok) throw new Error(`answered ${answer.status} at ${answer.url}`);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

const focusable = (root) => [...root.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];

// Puts a part of a new page in the place of the old one; what had focus and what was open stay so.
function replace(old, fresh) {
  const part = document.importNode(fresh, true);
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const index = focused ? focusable(old).indexOf(focused) : -1;
  old.querySelectorAll("details").forEach((details, i) => {
    const twin = part.querySelectorAll("details")[i];
    if (twin && details.open) twin.open = true;
  });
  old.replaceWith(part);
  enhance(part);
  if (!focused) return;
  const same = focused.id ? document.getElementById(focused.id) : null;
  // What has a name of its own has no other heir: somebody who is about to press Enter would open something else.
  const heir = same ?? (focused.id ? null : focusable(part)[index]) ?? part;
  if (heir === part) part.tabIndex = -1;
  heir.focus({ preventScroll: true });
}

// Whether somebody writes in a part: then it is left alone.
function isBusy(part) {
  const focused = document.activeElement;
  return part.contains(focused) && (focused.matches("input, select, textarea") || focused.closest("details.confirm"));
}

// Brings in the parts with these ids as the current page has them now.
async function renew(ids) {
  const fresh = await page(location.href);
  for (const id of ids) {
    const [old, part] = [document.getElementById(id), fresh.getElementById(id)];
    if (!old || isBusy(old)) continue;
    if (!part) {
      delete old.dataset.refresh;
      continue;
    }
    // Compared as the reader sees them: with times of the reader's zone, and able to have the focus if the old one was.
    if (old.hasAttribute("tabindex")) part.tabIndex = old.tabIndex;
    enhance(part);
    if (old.isEqualNode(part)) continue;
    replace(old, part);
    say(part.dataset.announce);
  }
}

// ---- Searching while one types: <form method="get" data-live="#part"> ----

function search(form) {
  const address = new URL(form.action);
  const asked = [...new FormData(form)].filter(([, value]) => value !== "");
  address.search = new URLSearchParams(asked).toString();
  form.asking?.abort();
  form.asking = new AbortController();
  return page(address, form.asking.signal).then((fresh) => {
    const [old, part] = [document.querySelector(form.dataset.live), fresh.querySelector(form.dataset.live)];
    if (!old || !part) return;
    replace(old, part);
    history.replaceState(history.state, "", address);
    say(part.dataset.announce);
  });
}

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset.live) return;
  clearTimeout(form.timer);
  form.timer = setTimeout(() => {
    // What the server answers instead of a list is for the browser to show; no answer at all is passed over.
    search(form).catch((fault) => { if (fault.name === "Error") form.requestSubmit(); });
  }, SEARCH_AFTER_MS);
});

// ---- Pictures that follow a form: fields inside <div data-preview="#part"> send their form as its button
// name="do" value="preview" does, and only the part of the answer is brought in ----

async function preview(form, target) {
  form.asking?.abort();
  form.asking = new AbortController();
  const body = new URLSearchParams(new FormData(form));
  body.set("do", "preview");
  const answer = await fetch(form.action, { method: "POST", body, credentials: "same-origin", signal: form.asking.signal });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(target);
  const old = document.querySelector(target);
  if (old && fresh && !old.isEqualNode(fresh)) replace(old, fresh);
}

document.addEventListener("input", (event) => {
  const target = event.target.closest?.("[data-preview]")?.dataset.preview;
  const form = event.target.form;
  if (!target || !form) return;
  clearTimeout(form.timer);
  // A picture that does not come is still to be had by the button.
  form.timer = setTimeout(() => { preview(form, target).catch(() => {}); }, SEARCH_AFTER_MS);
});

// ---- What was written and not saved: leaving it behind, or saving another form of the same page, is asked about ----

function isUnsaved(control) {
  if (control.matches("input[type=checkbox], input[type=radio]")) return control.checked !== control.defaultChecked;
  if (control.matches("input:not([type=hidden]), textarea")) return control.value !== control.defaultValue;
  // Where no option is marked as the one that is saved, it is the first.
  const saved = [...(control.options ?? [])].findIndex((option) => option.defaultSelected);
  return control.matches("select") && control.selectedIndex !== Math.max(0, saved);
}

let sent = null;
document.addEventListener("submit", (event) => { sent = event.target; });
addEventListener("beforeunload", (event) => {
  const forms = [...document.forms].filter((form) => form !== sent && form.getAttribute("method") === "post");
  if (forms.some((form) => [...form.elements].some(isUnsaved))) event.preventDefault();
  sent = null;
});

// ---- Parts that change by themselves until they are done: <div id data-refresh> ----

async function refresh() {
  const parts = [...document.querySelectorAll("[data-refresh][id]")];
  if (parts.length === 0) return;
  // A fault passes: the next round asks again.
  if (!document.hidden) await renew(parts.map((part) => part.id)).catch(() => {});
  setTimeout(refresh, REFRESH_EVERY_MS);
}

// ---- Lists that live: <div id data-stream="address"> is renewed when the stream says that something came ----

function follow(part) {
  const { id, dataset: { stream: address, events = "message" } } = part;
  const state = document.createElement("p");
  state.className = "live";
  state.setAttribute("role", "status");
  part.before(state);
  let [source, timer, last] = [null, null, 0];

  const tell = (word, text) => { state.dataset.state = word; state.textContent = text; };
  const came = () => {
    timer ??= setTimeout(() => {
      [timer, last] = [null, Date.now()];
      renew([id]).catch(() => {});
    }, Math.max(0, last + STREAM_PAUSE_MS - Date.now()));
  };
  const open = () => {
    source = new EventSource(address);
    source.onopen = () => { tell("on", "Live"); came(); };
    source.onerror = () => {
      const over = source.readyState === EventSource.CLOSED;
      tell("lost", over ? "Live updates have ended: reload the page to see what is new" : "The connection was lost; trying again");
    };
    for (const name of events.split(" ")) source.addEventListener(name, came);
  };
  // A page that nobody sees holds no connection: a browser has few of them for one address.
  document.addEventListener("visibilitychange", () => {
    source?.close();
    source = null;
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}

// ---- Beginning ----

function enhance(root) {
  localize(root);
  offerCopies(root);
}

const zone = inThisYear.resolvedOptions().timeZone;
const zoneLine = document.getElementById("times-zone");
if (zoneLine) zoneLine.textContent = `Times are in your zone, ${zone}; hover over one to see it in UTC.`;
enhance(document);
document.querySelectorAll("[data-stream][id]").forEach(follow);
setTimeout(refresh, REFRESH_EVERY_MS);
