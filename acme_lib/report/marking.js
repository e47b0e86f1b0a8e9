"use strict";
const address = new URL(location.href);
const $ = id => document.getElementById(id);
let question = Number(address.searchParams.get("question") || 0);
let all = null, at = 0, shown = null, names = false, queue = Promise.resolve(), timer = 0;

async function ask(path, change) {
  const headers = {Authorization: `token ${address.searchParams.get("token")}`};
  let reply;
  try {
    reply = await fetch(`api/${question}/${path}`,
      change ? {method: "POST", headers, body: JSON.stringify(change), keepalive: true} : {headers});
  } catch {
    throw new Error("acme mark does not answer: is it still running? This was not saved.");
  }
  const said = await reply.json();
  if (!reply.ok) throw new Error(said.error);
  return said;
}

function say(text, wrong = false) { $("said").textContent = text; $("said").classList.toggle("wrong", wrong); }
const inOrder = act => (queue = queue.then(act).catch(error => say(error.message, true)));
const number = value => String(Math.round(value * 100) / 100);
const plural = points => `${number(points)} ${points === 1 ? "point" : "points"}`;
const key = () => all.students[at]?.key;

function make(tag, text = "", facts = {}) {
  const made = Object.assign(document.createElement(tag), facts);
  if (text !== "") made.textContent = text;
  return made;
}

async function load() {
  all = await ask("overview");
  document.title = `${all.title} · marking`;
  $("title").textContent = all.title;
  $("about").textContent = `${all.assignment} · ${plural(all.points)} · marker: ${all.marker}`;
  $("choose").hidden = all.questions.length < 2;
  $("questions").replaceChildren(...all.questions.map((title, i) => new Option(title, i, false, i === question)));
  $("model").innerHTML = all.model;
  $("model-part").open = !all.lines.length;
  $("lines").replaceChildren(...all.lines.map((line, i) => {
    const row = make("div", "", {className: "line"}), text = make("div", "", {id: `line-${i}`});
    const box = make("input", "", {type: "checkbox", id: `tick-${i}`});
    box.setAttribute("aria-labelledby", `worth-${i} line-${i}`);
    box.addEventListener("change", () => change({tick: i, on: box.checked}));
    text.innerHTML = line.html;
    text.prepend(make("strong", `${i + 1} · ${plural(line.points)}`, {id: `worth-${i}`}));
    row.append(box, text);
    return row;
  }));
  if (!all.lines.length) {
    const label = make("label", `Points, 0 to ${number(all.points)} `);
    const field = make("input", "", {type: "number", id: "number", min: 0, max: all.points, step: "any"});
    field.addEventListener("change", () => field.value !== "" && change({points: Number(field.value)}));
    label.append(field);
    $("lines").append(label);
  }
  progress();
}

function progress() {
  const open = all.students.filter(one => ["open", "changed"].includes(one.state)).length, count = all.students.length;
  $("bar").max = count || 1;
  $("bar").value = count - open;
  $("done").textContent = `${count - open} of ${count} done`;
  $("comments").replaceChildren(...all.comments.map(text => {
    const item = make("li"), button = make("button", text, {type: "button"});
    button.addEventListener("click", () => {
      const before = $("comment").value.trim();
      if (!before.includes(text)) $("comment").value = before ? `${before}\n\n${text}` : text;
      saveComment();
    });
    item.append(button);
    return item;
  }));
}

async function show(where, focus = true) {
  if (!all.students.length) return say("Nobody has handed in.");
  at = Math.min(Math.max(where, 0), all.students.length - 1);
  const asked = key(), found = await ask(`answer/${asked}`);
  if (asked !== key()) return;
  shown = found;
  $("which").textContent = `Answer ${at + 1} of ${all.students.length}`;
  $("answer").innerHTML = shown.answer;
  $("question").innerHTML = shown.question;
  $("note").className = shown.changed || shown.elsewhere ? "note" : "";
  $("note").textContent = [shown.changed ? "The answer has changed since you marked it: mark it again." : "",
    shown.elsewhere ? `The gradebook has ${shown.elsewhere}, not given here; marking replaces it.` : ""].join(" ").trim();
  if (names) await showName();
  fill();
  $("previous").disabled = at === 0;
  $("next").disabled = at === all.students.length - 1;
  if (focus) { $("which").focus(); scrollTo(0, 0); }
}

function fill(comment = true) {
  const mark = shown.mark, student = all.students[at];
  all.lines.forEach((_, i) => { $(`tick-${i}`).checked = Boolean(mark?.ticks.includes(i)); });
  if ($("number")) $("number").value = mark ? mark.points : "";
  if (comment) $("comment").value = mark?.comment ?? "";
  const rest = {empty: "nothing was written", elsewhere: "graded elsewhere"}[student.state] ?? "not marked yet";
  $("points").textContent = mark ? `${number(mark.points)} of ${plural(all.points)}` : `Points: ${rest}`;
  $("back").disabled = !mark;
}

function change(what) {
  const where = at, whose = key();
  return inOrder(async () => {
    try {
      if ("comment" in what && whose === key()) what.was = shown.mark?.comment ?? "";
      const {mark} = await ask(`mark/${whose}`, what);
      Object.assign(all.students[where], {state: mark ? "marked" : "open", points: mark?.points ?? null});
      if (mark?.comment && !all.comments.includes(mark.comment)) all.comments.unshift(mark.comment);
      if (whose === key()) { shown.mark = mark; shown.changed = false; $("note").textContent = ""; fill("comment" in what || "clear" in what); }
      progress();
      say(mark ? `Saved: ${plural(mark.points)}.` : "The mark was taken back.");
    } catch (error) {
      if (whose === key() && "comment" in what) shown.mark = (await ask(`answer/${whose}`)).mark;
      if (whose === key()) fill(false);  // as it is stored; what was typed stays
      throw error;
    }
  });
}

function saveComment() {
  clearTimeout(timer);
  const text = $("comment").value.trim();
  return !shown || text === (shown.mark?.comment ?? "") ? queue : change({comment: text});
}

async function go(where) { await saveComment(); inOrder(() => show(where)); }

function goOpen() {
  const order = all.students.map((_, i) => (at + 1 + i) % all.students.length);
  const found = order.find(i => ["open", "changed"].includes(all.students[i].state));
  found === undefined ? say("Every answer is done.") : go(found);
}

async function showName() {
  const asked = key(), found = await ask(`name/${asked}`);
  if (asked === key()) $("which").textContent = `Answer ${at + 1} of ${all.students.length}: ${found.name}`;
}

function table(caption, heads, rows) {
  const made = make("table"), head = made.createTHead().insertRow(), body = made.createTBody();
  made.prepend(make("caption", caption));
  head.append(...heads.map(text => make("th", text, {scope: "col"})));
  for (const row of rows) body.insertRow().append(...row.map(cell => {
    const td = make("td");
    td.append(...[cell].flat());
    return td;
  }));
  return made;
}

async function compare() {
  const found = await ask("agreement"), place = Object.fromEntries(all.students.map((one, i) => [one.key, i]));
  const parts = found.agreements.flatMap(({markers: [a, b], ...one}) => [
    make("p", `${a} and ${b}, ${one.count} answers marked by both: equal points for ${Math.round(100 * one.equal)} %; `
      + `${a} gives ${number(Math.abs(one.difference))} ${one.difference < 0 ? "less" : "more"} on average; `
      + (one.kappa === null ? "no kappa (both gave the same points throughout)." : `weighted kappa ${number(one.kappa)} (1 perfect, 0 as by chance).`)),
    ...(one.lines.length ? [table("The lines of the rubric", ["line", a, b, "only one of them"], one.lines.map((line, i) => [String(i + 1), ...line.map(String)]))] : [])]);
  const settle = (one, what) => inOrder(async () => { await ask(`mark/${one.key}`, what); await compare(); say("Settled."); });
  const button = (text, act) => { const made = make("button", text, {type: "button"}); made.addEventListener("click", act); return made; };
  if (!parts.length) parts.push(make("p", "No answer has been marked by two (each with --marker NAME)."));
  if (found.differ.length) parts.push(table("Where they differ: the grade waits until it is settled", ["answer", "marks", "settled", "settle as"], found.differ.map(one => {
    const field = make("input", "", {type: "number", min: 0, max: all.points, step: "any", value: one.settled ?? ""});
    field.setAttribute("aria-label", `points settled for answer ${place[one.key] + 1}`);
    field.addEventListener("change", () => settle(one, {settle: field.value === "" ? null : Number(field.value)}));
    return [button(`Answer ${place[one.key] + 1}`, () => go(place[one.key])),
      Object.entries(one.marks).map(([who, points]) => make("div", `${who}: ${number(points)}${one.comments[who] ? ` “${one.comments[who]}”` : ""}`)),
      one.settled === null ? "no" : number(one.settled),
      [...Object.keys(one.marks).map(who => button(who, () => settle(one, {as: who}))), " or points ", field]];
  })));
  $("table").replaceChildren(...parts);
}

$("previous").addEventListener("click", () => go(at - 1));
$("next").addEventListener("click", () => go(at + 1));
$("open").addEventListener("click", goOpen);
$("none").addEventListener("click", () => change(all.lines.length ? {all: false} : {points: 0}));
$("all").addEventListener("click", () => change(all.lines.length ? {all: true} : {points: all.points}));
$("back").addEventListener("click", () => change({clear: true}));
$("form").addEventListener("submit", event => event.preventDefault());
$("comment").addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(saveComment, 1500); });
$("comment").addEventListener("change", saveComment);
$("name").addEventListener("click", () => { names = !names; $("name").textContent = names ? "Hide names" : "Show the name"; inOrder(() => show(at, false)); });
$("questions").addEventListener("change", async event => {
  await saveComment();
  inOrder(async () => { question = Number(event.target.value); await load(); await show(0); if (!$("agreement").hidden) await compare(); });
});
$("compare").addEventListener("click", () => {
  $("agreement").hidden = !$("agreement").hidden;
  $("compare").setAttribute("aria-expanded", String(!$("agreement").hidden));
  if (!$("agreement").hidden) inOrder(async () => { await compare(); $("agreement-title").focus(); });
});
addEventListener("pagehide", saveComment);
addEventListener("focus", () => all && inOrder(async () => {  // another tab may have marked
  const {mark} = await ask(`answer/${key()}`), before = shown.mark?.comment ?? "";
  const typed = $("comment").value.trim() !== before;
  shown.mark = mark && typed ? {...mark, comment: before} : mark;
  fill(!typed);
}));
addEventListener("keydown", event => {
  const typing = event.target.matches("textarea, select, input[type=number]");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || !all || !$("keys").checked || event.ctrlKey || event.altKey || event.metaKey) return;
  const box = /^[1-9]$/.test(event.key) && $(`tick-${event.key - 1}`);
  const act = {j: () => $("next").click(), k: () => $("previous").click(), n: goOpen, 0: () => $("none").click(),
    a: () => $("all").click(), c: () => $("comment").focus()}[event.key] ?? (box ? () => box.click() : null);
  if (act) { event.preventDefault(); act(); }
});
inOrder(async () => { await load(); await show(Math.max(0, all.students.findIndex(one => ["open", "changed"].includes(one.state)))); });
