// The rows of docs/operations.md for what can page someone: by what a problem says its row is found. On the page of its own it draws
// them. Every text is set as text, never as markup.

let known = [];

/** The row of a text, and what it says of it; of several the one that says most. Null: none. */
export function rowOf(text) {
  let best = null, most = 0;
  for (const row of known) {
    for (const says of row.says) {
      const length = matched(says, text);
      if (length > most) [best, most] = [{ id: row.id, says }, length];
    }
  }
  return best;
}

/** Dots stand for whatever is said there. */
function matched(says, text) {
  let from = 0, length = 0;
  for (const part of says.split('...')) {
    const at = text.indexOf(part, from);
    if (at < 0) return 0;
    from = at + part.length;
    length += part.trim().length;
  }
  return length;
}

async function read() {
  try {
    const answer = await fetch('api/runbook');
    if (answer.ok) known = await answer.json();
  } catch {
    // Without it findings have no links.
  }
}

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const reading = read();
const list = document.getElementById('rows');
if (list) {
  await reading;
  const heading = row => row.says.flatMap((says, i) => [i ? ', ' : '', make('code', { textContent: says })]);
  list.append(...known.map(row => make('section', { id: row.id, tabIndex: -1 },
    make('h2', {}, ...heading(row)),
    make('dl', {},
      ...[['Meaning', row.meaning], ['Safe meanwhile', row.safe], ['Do', row.remedy]].map(
        ([name, text]) => make('div', {}, make('dt', { textContent: name }), make('dd', { textContent: text })))))));
  const asked = document.getElementById(location.hash.slice(1));
  asked?.scrollIntoView();
  asked?.focus();
}
