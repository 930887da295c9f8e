// The operator's console. Everything that comes from the server is shown as text, never as markup.
"use strict";

const REFRESH_EVERY = 5000;
const MEMBERS_A_PAGE = 50;
const EVENTS_A_PAGE = 50;
const MOST_EVENTS = 500;
const ENTRIES_SHOWN = 10;

const $ = (id) => document.getElementById(id);

// ---- Asking the server -------------------------------------------------------------------------

let token = null;
let refreshing = null;

class Refusal extends Error {
  constructor(status, problem) {
    const field = problem.errors?.[0];
    const said = problem.detail ?? (field && `${field.field}: ${field.message}`) ?? problem.title;
    super(said ?? `The server answered ${status}.`);
    this.status = status;
    this.code = problem.code;
  }
}

async function send(method, path, body) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: "same-origin", cache: "no-store" });
  } catch {
    throw new Refusal(0, { detail: "The server cannot be reached." });
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // What is not JSON did not come from our handlers; the status says enough.
  }
  if (!response.ok) throw new Refusal(response.status, answer ?? {});
  return answer;
}

// One refresh at a time: each one replaces the cookie.
function refreshToken() {
  refreshing ??= send("POST", "/auth/refresh")
    .then((answer) => { token = answer.accessToken; })
    .finally(() => { refreshing = null; });
  return refreshing;
}

async function api(method, path) {
  try {
    return await send(method, `/admin/api/${path}`);
  } catch (refusal) {
    if (refusal.status !== 401) throw refusal;
    token = null;
    await refreshToken();
    return send(method, `/admin/api/${path}`);
  }
}

const part = encodeURIComponent;

// ---- Putting it on the page --------------------------------------------------------------------

// An element; strings among its children become text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") element.addEventListener("click", value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== false));
  return element;
}

// Brings a list's elements up to date: one that looks as before is left alone, so that nothing flickers and neither focus nor selection is lost.
const drawn = new WeakMap();
function show(parent, items, keyOf, stateOf, draw) {
  const before = drawn.get(parent) ?? new Map();
  const after = new Map();
  for (const item of items) {
    const key = String(keyOf(item));
    const state = JSON.stringify(stateOf(item));
    const old = before.get(key);
    let element = old?.element;
    if (!old || old.state !== state) {
      element = draw(item);
      if (old) replace(old.element, element);
    }
    after.set(key, { element, state });
  }
  for (const [key, { element }] of before) if (!after.has(key)) element.remove();
  let place = parent.firstElementChild;
  for (const { element } of after.values()) {
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
  drawn.set(parent, after);
}

// The button that had the focus has it again in the new row.
function replace(old, element) {
  const focused = old.contains(document.activeElement) ? document.activeElement.dataset.act : null;
  old.replaceWith(element);
  if (focused) element.querySelector(`[data-act="${focused}"]`)?.focus({ preventScroll: true });
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function badge(text, kind = "") {
  return make("span", { class: `badge ${kind}` }, text);
}

function button(act, text, action, options = {}) {
  return make("button", { type: "button", "data-act": act, onclick: action, ...options }, text);
}

function cell(label, ...children) {
  return make("td", { "data-label": label }, make("div", {}, ...children));
}

function acts(...buttons) {
  return make("td", { class: "acts" }, make("div", {}, ...buttons));
}

// `<node>:<random tail>` in the tail's first digits: the node is what an operator looks for. All of it is in the tooltip.
function holder(lockedBy, before = "") {
  return make("span", { title: lockedBy }, before + lockedBy.replace(/:([0-9a-f]{4})[0-9a-f]{28}$/, ":$1…"));
}

function error(text) {
  return text && make("span", { class: "error", title: text }, text);
}

// ---- Times and numbers -------------------------------------------------------------------------

// The server's clock less ours: what counts is the server's.
let skew = 0;

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const shortClock = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const numbers = new Intl.NumberFormat();

function milliseconds(time) {
  return `${numbers.format(time < 10 ? Math.round(time * 10) / 10 : Math.round(time))} ms`;
}

function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  if (s < 7 * 86400) return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  return `${numbers.format(Math.floor(s / 86400))} d`;
}

function relative(at) {
  const seconds = (at - (Date.now() + skew)) / 1000;
  if (Math.abs(seconds) < 1.5) return "now";
  return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
}

// Relative times keep going between two answers.
function time(iso) {
  const at = Date.parse(iso);
  return make("time", { datetime: iso, title: clock.format(at), "data-at": at }, relative(at));
}

function tick() {
  for (const element of document.querySelectorAll("time[data-at]")) setText(element, relative(Number(element.dataset.at)));
}

function took(run) {
  if (!run.finishedAt) return null;
  const ms = Date.parse(run.finishedAt) - Date.parse(run.startedAt);
  return ms < 1000 ? `${ms} ms` : ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : span(ms / 1000);
}

// ---- What the operator is told and asked -------------------------------------------------------

function note(text, bad = false) {
  const line = make("p", bad ? { class: "bad" } : {}, text);
  $("notes").append(line);
  setTimeout(() => line.remove(), bad ? 12000 : 5000);
}

function ask(question, yes) {
  const dialog = $("ask");
  setText($("ask-text"), question);
  setText($("ask-yes"), yes);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

// What was asked for and not answered yet; its button waits.
const underWay = new Set();

async function act(key, work) {
  if (underWay.has(key)) return;
  underWay.add(key);
  drawAgain();
  try {
    const said = await work();
    if (said) note(said);
  } catch (refusal) {
    if (!signedOut(refusal)) note(refusal.message, true);
  } finally {
    underWay.delete(key);
    await refresh();
  }
}

// ---- Jobs --------------------------------------------------------------------------------------

const STATUS = { SUCCEEDED: "good", FAILED: "bad", ABANDONED: "warn", RUNNING: "busy" };
const ENDED = { SUCCEEDED: "succeeded", FAILED: "failed", ABANDONED: "was abandoned" };

let latest = null;
let opened = null;
let past = null;

function count(run) {
  return `${numbers.format(run.affected)} affected`;
}

function lastRun(job) {
  const run = job.lastRun;
  if (!run) return [make("span", { class: "sub" }, "no run on record")];
  const facts = [count(run), took(run)].filter(Boolean).join(" · ");
  return [
    badge(run.status.toLowerCase(), STATUS[run.status]), " ", time(run.finishedAt ?? run.startedAt),
    make("span", { class: "sub" }, facts),
    job.progress && job.progress.total > 0 && make("progress", { value: job.progress.done, max: job.progress.total }),
    error(run.error),
  ];
}

function nextRun(job) {
  if (!job.enabled) return [badge("switched off", "warn")];
  if (job.paused) return [badge("paused", "warn")];
  if (!job.nextRun) return ["never"];
  // Of a job that ticks every few seconds the exact time says nothing.
  return [time(job.nextRun), job.zone && make("span", { class: "sub" }, shortClock.format(Date.parse(job.nextRun)))];
}

function trigger(job) {
  const where = [job.zone, job.scope === "node" && "on each node"].filter(Boolean).join(" · ");
  const cron = job.trigger.startsWith("cron ") ? job.trigger.slice(5) : null;
  return [cron ? make("code", {}, cron) : job.trigger, make("span", { class: "sub" }, where)];
}

function jobRow(job) {
  const asked = underWay.has(`run ${job.name}`);
  return make("tr", {},
    make("td", {},
      make("button", { class: "name", type: "button", "data-act": "open", "aria-expanded": String(opened === job.name), onclick: () => open(job.name) }, job.name),
      make("span", { class: "sub" }, job.purpose ?? "")),
    cell("Trigger", ...trigger(job)),
    cell("Next run", ...nextRun(job)),
    cell("Last run", ...lastRun(job)),
    cell("Lock", ...(job.lock
      ? [holder(job.lock.lockedBy), make("span", { class: "sub" }, "until ", time(job.lock.lockUntil))]
      : [make("span", { class: "sub" }, "free")])),
    acts(
      button("run", asked ? "Running…" : "Run", () => runJob(job.name), { disabled: asked }),
      job.paused
        ? button("pause", "Resume", () => act(`pause ${job.name}`, () => api("POST", `jobs/${part(job.name)}/resume`).then(() => `${job.name} goes on with its next slot.`)))
        : button("pause", "Pause", () => act(`pause ${job.name}`, () => api("POST", `jobs/${part(job.name)}/pause`).then(() => `${job.name} is paused on every node.`)))));
}

function runJob(name) {
  return act(`run ${name}`, async () => {
    const run = await api("POST", `jobs/${part(name)}/run`);
    if (run.status === "RUNNING") return `${name} is still running.`;
    if (run.status !== "SUCCEEDED") throw new Error(`${name} ${ENDED[run.status] ?? run.status}: ${run.error ?? "no reason on record"}`);
    return `${name} succeeded: ${count(run)}, ${took(run)}.`;
  });
}

async function open(name) {
  opened = opened === name ? null : name;
  past = null;
  drawAgain();
  try {
    await loadPast();
    drawAgain();
  } catch (refusal) {
    if (!signedOut(refusal)) note(refusal.message, true);
  }
}

async function loadPast() {
  const name = opened;
  if (!name) return;
  const [runs, slots] = await Promise.all([api("GET", `jobs/${part(name)}/history?limit=15`), api("GET", `jobs/${part(name)}/upcoming?n=5`)]);
  // Another job may have been opened meanwhile.
  if (opened === name) past = { runs, slots };
}

function pastRow() {
  if (!past) return make("tr", { class: "past" }, make("td", { colspan: "6" }, make("div", { class: "sub" }, "Loading…")));
  const slots = make("div", {}, make("h3", {}, "Next slots"), make("ol", {}, ...past.slots.map((slot) => make("li", {}, shortClock.format(Date.parse(slot))))));
  const runs = past.runs.length === 0
    ? make("p", { class: "sub" }, "No run on record. Jobs that tick every few seconds keep only failures and runs by hand.")
    : make("table", {},
      make("thead", {}, make("tr", {}, ...["Run", "Status", "Why", "Took", "Affected", "Node", "Error"].map((title) => make("th", {}, title)))),
      make("tbody", {}, ...past.runs.map((run) => make("tr", {},
        cell("Run", shortClock.format(Date.parse(run.startedAt))),
        cell("Status", badge(run.status.toLowerCase(), STATUS[run.status])),
        cell("Why", run.cause.toLowerCase().replace("_", " "), run.attempt > 1 && ` · attempt ${run.attempt}`, run.retries > 0 && ` · ${run.retries} retries`),
        cell("Took", took(run) ?? "–"),
        cell("Affected", numbers.format(run.affected)),
        cell("Node", run.node),
        cell("Error", error(run.error) ?? "–")))));
  return make("tr", { class: "past" }, make("td", { colspan: "6" }, make("div", {}, past.slots.length > 0 && slots, make("div", {}, make("h3", {}, "Last runs"), runs))));
}

function drawJobs() {
  const rows = latest.jobs.flatMap((job) => job.name === opened ? [{ job }, { past: true }] : [{ job }]);
  show($("jobs"), rows, (row) => row.past ? "past" : row.job.name,
    (row) => row.past ? [opened, past] : [row.job, opened === row.job.name, underWay.has(`run ${row.job.name}`)],
    (row) => row.past ? pastRow() : jobRow(row.job));
}

// ---- Outbox ------------------------------------------------------------------------------------

let onlyDead = true;
let eventsShown = EVENTS_A_PAGE;
let events = [];

function eventRow(event) {
  const dead = event.status === "DEAD";
  const busy = underWay.has(`event ${event.id}`);
  const discard = async () => {
    if (await ask(`Discard event ${event.id} (${event.eventType})? It will never be delivered.`, "Discard")) {
      act(`event ${event.id}`, () => api("DELETE", `outbox/${event.id}`).then(() => `Event ${event.id} is gone.`));
    }
  };
  return make("tr", {},
    cell("Id", make("span", { class: "mono", title: event.eventId }, String(event.id))),
    cell("Event", make("span", { class: "mono" }, event.eventType), make("span", { class: "sub" }, event.aggregateKey)),
    cell("Attempts", badge(`${dead ? "dead" : "pending"} · ${event.attempts}`, dead ? "bad" : ""), !dead && event.attempts > 0 && make("span", { class: "sub" }, "next ", time(event.nextAttemptAt))),
    cell("Last error", error(event.lastError) ?? "–"),
    cell("Published", time(event.createdAt)),
    acts(
      dead && button("replay", "Replay", () => act(`event ${event.id}`, () => api("POST", `outbox/${event.id}/replay`).then(() => `Event ${event.id} will be delivered again.`)), { disabled: busy }),
      dead && button("discard", "Discard", discard, { class: "danger", disabled: busy })));
}

function drawEvents() {
  show($("events"), events, (event) => event.id, (event) => [event, underWay.has(`event ${event.id}`)], eventRow);
  $("events").parentElement.hidden = events.length === 0;
  $("no-events").hidden = events.length > 0;
  setText($("no-events"), onlyDead ? "No dead letters: everything was delivered, or still is being tried." : "The outbox is empty: everything was delivered.");
  $("more-events").hidden = events.length < eventsShown || eventsShown >= MOST_EVENTS;
  $("replay-all").hidden = latest.outbox.dead === 0;
  $("only-dead").setAttribute("aria-pressed", String(onlyDead));
  $("all-events").setAttribute("aria-pressed", String(!onlyDead));
}

function chooseEvents(dead) {
  onlyDead = dead;
  eventsShown = EVENTS_A_PAGE;
  refresh();
}

let audit = [];

function drawAudit() {
  const acts = { REPLAY: "replayed", REPLAY_ALL: "replayed with all", DISCARD: "discarded" };
  show($("audit"), audit, (entry) => entry.id, (entry) => entry, (entry) => make("tr", {},
    cell("When", time(entry.at)),
    cell("Who", entry.actor),
    cell("Event", make("span", {}, `${acts[entry.action]} `), make("span", { class: "mono", title: entry.eventId }, `${entry.event} ${entry.eventType}`), make("span", { class: "sub" }, entry.aggregateKey))));
  $("audit").parentElement.hidden = audit.length === 0;
}

// ---- Locks, streams, figures -------------------------------------------------------------------

let locks = [];

function drawLocks() {
  const heldFirst = [...locks].sort((a, b) => Number(b.held) - Number(a.held) || a.name.localeCompare(b.name));
  show($("locks"), heldFirst, (lock) => lock.name, (lock) => lock, (lock) => make("tr", {},
    cell("Lock", make("span", { class: "mono" }, lock.name)),
    cell("State", badge(lock.held ? "held" : "free", lock.held ? "busy" : ""), make("span", { class: "sub" }, lock.held ? "until " : "since ", time(lock.lockUntil))),
    cell("Holder", lock.held ? holder(lock.lockedBy) : holder(lock.lockedBy, "last: "), make("span", { class: "sub" }, "taken ", time(lock.lockedAt)))));
  $("locks").parentElement.hidden = locks.length === 0;
  $("no-locks").hidden = locks.length > 0;
}

function drawStreams() {
  const { sse } = latest;
  const cut = [["too many tabs", "gaveWay"], ["too slow", "tooSlow"], ["stalled", "stalled"], ["expired", "expired"], ["cut off", "cutOff"], ["shutdown", "draining"]]
    .filter(([, reason]) => sse.ended[reason] > 0)
    .map(([words, reason]) => `${numbers.format(sse.ended[reason])} ${words}`);
  const lines = [
    ["Open streams", numbers.format(sse.connections)],
    ["Members connected", numbers.format(sse.members)],
    ["Notifications sent", numbers.format(sse.eventsSent)],
    ["Heartbeats sent", numbers.format(sse.heartbeatsSent)],
    ["Stored to streams, last and longest", `${milliseconds(sse.delayMillis.last)}, ${milliseconds(sse.delayMillis.longest)}`],
    ["Stream to socket, median and longest", `${milliseconds(sse.deliveryMillis.median)}, ${milliseconds(sse.deliveryMillis.longest)}`],
    ["Heartbeat late, last and longest", `${milliseconds(sse.heartbeatLagMillis.last)}, ${milliseconds(sse.heartbeatLagMillis.longest)}`],
    ["Left on their own", numbers.format(sse.left)],
    ["Ended by the node", cut.join(", ") || "0"],
    ["Refused", numbers.format(sse.refusedFull + sse.refusedDraining)],
  ];
  if (sse.draining) lines.unshift(["State", "shutting down"]);
  show($("streams"), lines, ([name]) => name, (line) => line, ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

function drawFigures() {
  const { jobs, outbox, sse } = latest;
  const troubled = jobs.filter((job) => job.lastRun && ["FAILED", "ABANDONED"].includes(job.lastRun.status)).length;
  const paused = jobs.filter((job) => job.paused).length;
  const figures = [
    ["Jobs in trouble", numbers.format(troubled), troubled && "bad"],
    ["Jobs paused", numbers.format(paused), paused && "warn"],
    ["Events pending", numbers.format(outbox.pending)],
    ["Oldest waits", outbox.pending ? span(outbox.oldestAgeSeconds) : "–", outbox.pending && outbox.oldestAgeSeconds > 60 && "warn"],
    ["Dead letters", numbers.format(outbox.dead), outbox.dead && "bad"],
    ["Live streams", numbers.format(sse.connections)],
  ];
  show($("figures"), figures, ([name]) => name, (figure) => figure,
    ([name, value, kind]) => make("li", { class: kind || "" }, make("span", {}, name), make("b", {}, value)));
}

// ---- Members -----------------------------------------------------------------------------------

let members = [];
let membersAfter = 0;

function memberRow(member) {
  const banned = member.status === "BANNED";
  const busy = underWay.has(`member ${member.id}`);
  const ban = async () => {
    if (await ask(`Ban ${member.email}? Every session and stream of theirs ends now.`, "Ban")) {
      act(`member ${member.id}`, () => api("POST", `members/${member.id}/ban`).then(loadMembers).then(() => `${member.email} is banned.`));
    }
  };
  const unban = () => act(`member ${member.id}`, () => api("POST", `members/${member.id}/unban`).then(loadMembers).then(() => `${member.email} may sign in again.`));
  const oneself = member.id === latest.operatorId;
  return make("tr", {},
    cell("Id", make("span", { class: "mono" }, String(member.id))),
    cell("Member", member.name, make("span", { class: "sub" }, member.email)),
    cell("Role", member.role === "ADMIN" ? badge("operator", "busy") : "member"),
    cell("Status", badge(member.status.toLowerCase(), { ACTIVE: "good", BANNED: "bad" }[member.status])),
    cell("Since", time(member.createdAt)),
    acts(
      oneself ? make("span", { class: "sub" }, "you")
        : banned ? button("ban", "Unban", unban, { disabled: busy })
          : member.status === "ACTIVE" && button("ban", "Ban", ban, { class: "danger", disabled: busy })));
}

async function loadMembers() {
  members = await api("GET", `members?after=${membersAfter}&limit=${MEMBERS_A_PAGE}`);
}

function drawMembers() {
  show($("members"), members, (member) => member.id, (member) => [member, underWay.has(`member ${member.id}`), latest.operatorId], memberRow);
  $("members").parentElement.hidden = members.length === 0;
  $("no-members").hidden = members.length > 0;
  $("members-first").disabled = membersAfter === 0;
  $("members-next").disabled = members.length < MEMBERS_A_PAGE;
}

async function turnMembers(after) {
  membersAfter = after;
  await act("members", loadMembers);
}

// ---- Keeping it fresh --------------------------------------------------------------------------

let timer = null;
let lastAnswer = 0;
let round = 0;

async function load() {
  const mine = ++round;
  const asked = Date.now();
  const [overview, someEvents, someAudit, someLocks] = await Promise.all([
    api("GET", "overview"),
    api("GET", `outbox?dead=${onlyDead}&limit=${eventsShown}`),
    api("GET", `outbox/audit?limit=${ENTRIES_SHOWN}`),
    api("GET", "locks"),
    loadPast(),
  ]);
  // A later round has been answered, or will be: it knows better.
  if (mine !== round) return;
  skew = Date.parse(overview.now) - (asked + Date.now()) / 2;
  latest = overview;
  events = someEvents;
  audit = someAudit;
  locks = someLocks;
  lastAnswer = Date.now();
  drawAgain();
}

function drawAgain() {
  if (!latest) return;
  drawFigures();
  drawJobs();
  drawEvents();
  drawAudit();
  drawLocks();
  drawStreams();
  drawMembers();
  setText($("node"), `version ${latest.version} · up ${span(latest.uptimeSeconds)}`);
  drawClock();
  tick();
}

// A clock that was set a little is nobody's business; by NTP it is all the time.
function drawClock() {
  const by = latest.clockSetBySeconds;
  $("clock").hidden = Math.abs(by) < 2;
  setText($("clock"), `The clock of this node was set ${by < 0 ? "back" : "forwards"} by ${span(Math.abs(by))} since it started.`);
}

async function refresh() {
  clearTimeout(timer);
  try {
    await load();
    $("live").classList.remove("late");
    setText($("live").lastElementChild, "live");
  } catch (refusal) {
    if (signedOut(refusal)) return;
    $("live").classList.add("late");
    const since = lastAnswer ? ` The page is ${span((Date.now() - lastAnswer) / 1000)} old.` : "";
    setText($("live").lastElementChild, refusal.message + since);
  }
  clearTimeout(timer);
  if (!document.hidden && !$("console").hidden) timer = setTimeout(refresh, REFRESH_EVERY);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !$("console").hidden) refresh();
});

// ---- Signing in and out ------------------------------------------------------------------------

// Whether this answer means that somebody has to sign in; how, is shown then.
function signedOut(refusal) {
  if (refusal.status === 401) {
    showSignIn("Your session has ended, or there was none in this browser.");
    return true;
  }
  if (refusal.status === 403) {
    showSignIn(refusal.code === "A_005" ? "You are signed in, but this member is no operator." : "This member may not use the service.");
    return true;
  }
  return false;
}

function showSignIn(why) {
  clearTimeout(timer);
  round += 1;
  latest = null;
  setText($("sign-in-why"), why);
  $("console").hidden = true;
  $("live").hidden = true;
  $("sign-out").hidden = true;
  setText($("node"), "");
  $("sign-in").hidden = false;
}

async function begin() {
  await Promise.all([load(), loadMembers()]);
  $("sign-in").hidden = true;
  $("console").hidden = false;
  $("live").hidden = false;
  $("sign-out").hidden = false;
  await refresh();
}

$("sign-out").addEventListener("click", async () => {
  try {
    await send("POST", "/auth/logout");
    token = null;
    showSignIn("You have signed out.");
  } catch (refusal) {
    note(refusal.message, true);
  }
});

$("only-dead").addEventListener("click", () => chooseEvents(true));
$("all-events").addEventListener("click", () => chooseEvents(false));
$("more-events").addEventListener("click", () => {
  eventsShown = Math.min(eventsShown * 2, MOST_EVENTS);
  refresh();
});
$("replay-all").addEventListener("click", async () => {
  const dead = latest.outbox.dead;
  if (await ask(`Replay ${numbers.format(dead)} dead ${dead === 1 ? "event" : "events"}? Each is tried again from its first attempt.`, "Replay all")) {
    act("replay all", () => api("POST", "outbox/replay-all").then(({ replayed }) => `${numbers.format(replayed)} events will be delivered again.`));
  }
});
$("members-first").addEventListener("click", () => turnMembers(0));
$("members-next").addEventListener("click", () => turnMembers(members.at(-1)?.id ?? 0));

setText($("footer"), `Times are ${Intl.DateTimeFormat().resolvedOptions().timeZone}. The page asks again every ${REFRESH_EVERY / 1000} seconds while you look at it.`);
setInterval(tick, 1000);

(async () => {
  try {
    await refreshToken();
    await begin();
  } catch (refusal) {
    if (!signedOut(refusal)) showSignIn(refusal.message);
  }
})();
