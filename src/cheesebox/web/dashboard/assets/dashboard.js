// Keeps the parts of a page that carry data-live as the server has them now, and sends purges.
// Without it the pages are whole, as of the time they were loaded.

const LONGEST_WAIT = 10_000;
const live = document.querySelector("#live");

/** Make the children of `old` equal to those of `fresh`, keeping what is the same: focus, open details. */
function align(old, fresh) {
  const keyed = new Map();
  for (const child of old.children) {
    if (child.dataset.key) keyed.set(child.dataset.key, child);
  }
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    if (wanted.nodeType === Node.ELEMENT_NODE) at = withoutTextAt(at);
    const key = wanted.dataset?.key;
    const match = key ? keyed.get(key) : at && isAlike(at, wanted) ? at : undefined;
    if (!match) {
      old.insertBefore(wanted, at);
      continue;
    }
    keyed.delete(key);
    if (match === at) at = at.nextSibling;
    else old.insertBefore(match, at);
    update(match, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Remove text that stands where an element is wanted; gives what stands there then. */
function withoutTextAt(at) {
  while (at && at.nodeType !== Node.ELEMENT_NODE) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
  return at;
}

function isAlike(node, wanted) {
  return node.nodeName === wanted.nodeName && !node.dataset?.key;
}

function update(node, wanted) {
  if (node.nodeType !== Node.ELEMENT_NODE) {
    if (node.nodeValue !== wanted.nodeValue) node.nodeValue = wanted.nodeValue;
    return;
  }
  for (const { name } of [...node.attributes]) {
    if (name !== "open" && !wanted.hasAttribute(name)) node.removeAttribute(name);
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  }
  align(node, wanted);
}

/** Ask for one part and show it. Rejects when it can't be had. */
async function refresh(part) {
  const answer = await fetch(part.dataset.live, { signal: AbortSignal.timeout(LONGEST_WAIT) });
  if (!answer.ok) throw new Error(`${part.dataset.live}: ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement;
  align(part, fresh.body);
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

function say(text) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("lost", failing.size > 0);
}

const failing = new Set();

/** Refresh a part again and again; a hidden page rests. */
async function follow(part) {
  if (!document.hidden) {
    try {
      await refresh(part);
      failing.delete(part);
    } catch {
      failing.add(part);
    }
    say(failing.size ? "No answer from the server: this may be out of date." : "Live");
  }
  part.timer = setTimeout(follow, part.dataset.every * 1000, part);
}

const parts = [...document.querySelectorAll("[data-live]")];
for (const part of parts) part.timer = setTimeout(follow, part.dataset.every * 1000, part);
if (parts.length) say("Live");

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const part of parts) {
    clearTimeout(part.timer);
    follow(part);
  }
});

const TOKEN = "cheesebox admin token";

/** Send a purge; gives what to tell. */
async function purge(form) {
  const asked = { project: form.dataset.project };
  if (form.elements.version.value) asked.version = form.elements.version.value;
  const answer = await fetch(form.dataset.purge, {
    method: "POST",
    headers: { authorization: `Bearer ${form.elements.token.value}`, "content-type": "application/json" },
    body: JSON.stringify(asked),
  });
  const told = await answer.json();
  if (!answer.ok) {
    if (answer.status === 401) sessionStorage.removeItem(TOKEN);
    return told.detail ?? told.title;
  }
  sessionStorage.setItem(TOKEN, form.elements.token.value);
  return `Removed ${told.objects} ${told.objects === 1 ? "object" : "objects"}, ${told.bytes.toLocaleString("en")} bytes.`;
}

for (const form of document.querySelectorAll("form[data-purge]")) {
  form.hidden = false;
  form.elements.token.value = sessionStorage.getItem(TOKEN) ?? "";
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const told = form.querySelector("[role=status]");
    const button = form.querySelector("button");
    button.disabled = true;
    told.textContent = await purge(form).catch((error) => `No answer: ${error.message}`);
    button.disabled = false;
  });
}
