// Asks for the status every two seconds and shows it. Every text is set as text, never as markup.

import { Chart, setText } from './charts.js';
import { ago, bytes, clock, clockAndAge, duration, number, plural, rate, unknown } from './words.js';

const period = 2_000, patience = 15_000;
const words = {
  well: 'All is well', wrong: 'Something is wrong', unknown: 'It cannot be told', lost: 'Contact lost',
};

const $ = id => document.getElementById(id);
const set = (id, text) => setText($(id), text);
const joined = (...parts) => parts.filter(p => p).join(' · ');

const charts = [
  new Chart('Rows per second', [
    { name: 'Kafka', css: 'one', value: s => s.published_per_second, several: 'mean' },
    { name: 'lake', css: 'two', value: s => s.stored_per_second, several: 'mean' },
  ], rate),
  new Chart('Changes not yet in Kafka', [{ name: 'Lag', css: 'one', value: s => s.capture_lag_seconds, several: 'max' }], duration),
  new Chart('Records waiting in Kafka', [{ name: 'Records', css: 'two', value: s => s.lake_lag_records, several: 'max' }], number),
];
$('charts').append(...charts.map(chart => chart.element));

let shown = null;
let lostSince = null;
let timer = 0;
let asking = null;

async function ask() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = new AbortController();
  const limit = setTimeout(() => asking.abort(), patience);
  try {
    const answer = await fetch('api/status', { signal: asking.signal, cache: 'no-store' });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const status = await answer.json();
    lostSince = null;
    show(status);
  } catch {
    lostSince ??= Date.now();
  } finally {
    clearTimeout(limit);
    asking = null;
    showContact();
    timer = setTimeout(ask, period);
  }
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) asking?.abort();
  else ask();
});
setInterval(() => { if (lostSince !== null) showContact(); }, 1_000);
ask();

function showContact() {
  // A request that was broken off because the page was hidden is no loss.
  if (document.hidden) return void (lostSince = null);
  const isLost = lostSince !== null;
  $('contact').hidden = !isLost;
  $('main').classList.toggle('stale', isLost);
  if (isLost) {
    const seconds = Math.round((Date.now() - lostSince) / 1000);
    const asOf = shown ? `What is shown is from ${clock(shown.at, shown.at)}.` : '';
    const lost = `Contact lost at ${clock(lostSince, lostSince)} UTC, ${seconds} s ago.`;
    set('contact', `${lost} ${asOf} It is tried again every ${period / 1000} s.`);
  }
  setHealth(isLost ? 'lost' : shown?.health ?? 'waiting');
}

function setHealth(state) {
  if ($('health').dataset.state === state) return;
  const word = words[state] ?? 'Asking …';
  $('health').dataset.state = state;
  set('health-word', word);
  set('announce', word);
  document.title = state === 'well' ? 'Orders Stream' : `${word} – Orders Stream`;
}

function show(status) {
  shown = status;
  set('stream', `${status.source.table} → ${status.topic.name}`);
  set('freshness', `as of ${clock(status.at, status.at)} UTC`);
  showPath(status);
  showFindings(status);
  showHour(status);
  showCapture(status);
  showLake(status);
  showPartitions(status);
  showFiles(status);
  const { host, started_at: started, halves } = status.process;
  const running = halves.length ? halves.join(' and ') : 'neither half';
  set('process', `Answered by ${host}, started ${clockAndAge(started, status.at)}, which runs ${running}.`);
}

const halfOf = (halves, name) => halves.find(h => h.name === name) ?? null;
const fails = half => half !== null && (half.state === 'retrying' || half.state === 'stopped');

function showPath({ source, topic, lake, capture, halves, flow, partitions, lag, hidden }) {
  const [capturing, storing] = [halfOf(halves, 'PostgresToKafka'), halfOf(halves, 'KafkaToLake')];
  showHalf('capture', capturing, source.reachable && topic.reachable);
  showHalf('lake', storing, topic.reachable && lake.reachable);
  showState('source', source.reachable);
  set('source-table', source.table);
  set('source-address', source.address);
  set('source-facts', source.reachable ? joined(
    source.version && `version ${source.version.split(' ')[0]}`,
    source.rows !== null && `about ${plural(source.rows, 'row')}`) : '');

  set('published-rate', rate(flow.published_per_second));
  const captureLag = capture?.lag_seconds ?? null;
  const heldBack = capture?.held_back ?? null;
  const notKnown = heldBack ? 'rows held back' : capture?.captured_up_to === null ? 'initial load not done' : undefined;
  setLag('capture', captureLag, heldBack ? `rows held back for ${duration(captureLag)}` : captureLag === 0 ? 'up to date' : `${duration(captureLag)} behind`, () => heldBack || capturing?.health === 'wrong', notKnown);
  set('capture-now', capture?.window ? windowInShort(capture.window) : '');

  showState('topic', topic.reachable, topic.exists === false ? 'topic not created yet' : null);
  set('topic-name', topic.name);
  set('topic-address', topic.brokers);
  set('topic-facts', topic.reachable ? joined(
    topic.version && `version ${topic.version}`,
    plural(topic.broker_count, 'broker'),
    topic.exists && plural(partitions.length, 'partition')) : '');

  set('stored-rate', rate(flow.stored_per_second));
  const age = lag > 0 ? storing?.lag_seconds ?? null : null;
  const behind = lag === 0 ? 'up to date' : joined(age !== null && `${duration(age)} behind`, `${plural(lag, 'record')} waiting`);
  if (hidden > 0) setLag('lake', hidden, `${plural(hidden, 'offset')} hidden behind a transaction`, () => true);
  else setLag('lake', lag, behind, () => storing?.health === 'wrong');
  set('lake-now', lag > 0 && flow.stored_per_second > 0 ? `${duration(lag / flow.stored_per_second)} at this rate` : '');

  showState('lake', lake.reachable, fails(storing) ? 'not written' : null);
  set('lake-rows', lake.reachable ? plural(lake.rows, 'row') : unknown);
  set('lake-path', lake.path);
  set('lake-facts', lake.reachable ? joined(
    plural(lake.files, 'file'),
    lake.quarantined > 0 && `${number(lake.quarantined)} quarantined`) : '');
}

function showState(part, isReachable, note = null) {
  $(`${part}-state`).dataset.state = isReachable ? (note ? 'note' : 'well') : 'wrong';
  set(`${part}-state`, isReachable ? note ?? 'reachable' : part === 'lake' ? 'not readable' : 'not reachable');
}

const doing = {
  running: 'running', standing_by: 'standing by', retrying: 'tries again', stopped: 'stopped', silent: 'not heard of', nobody: 'nobody runs it',
};

/** Its arrow is whole where both ends can be reached and somebody carries rows along it. */
function showHalf(id, half, reachesBoth) {
  const state = half?.health ?? 'unknown';
  $(`hop-${id}`).classList.toggle('broken', !reachesBoth || state === 'wrong');
  $(`hop-${id}`).classList.toggle('idle', state === 'unknown');
  $(`${id}-half`).dataset.state = state === 'unknown' ? 'note' : state;
  set(`${id}-half`, half ? doing[half.state] ?? half.state : unknown);
}

function setLag(half, lag, text, isLate, notKnown = 'lag not known') {
  $(`${half}-lag`).dataset.state = lag === null ? 'unknown' : lag === 0 ? 'well' : isLate(lag) ? 'late' : 'behind';
  set(`${half}-lag`, lag === null ? notKnown : text);
}

const percent = share => `${Math.floor(share * 100)} %`;

const windowInShort = w => joined(
  w.kind, w.progress !== null && percent(w.progress), w.seconds_left !== null && `${duration(w.seconds_left)} left`);

function showFindings({ problems, warnings, failures, halves, process, at }) {
  // What this process tells of its own failures is not told twice.
  const isTold = half => fails(half) && failures.some(f => !f.over && f.half === half.name);
  const items = [
    ...problems.map(text => ({ level: 'problem', text })),
    ...halves.filter(h => h.health === 'wrong' && !isTold(h)).map(h => ({ level: 'problem', text: `${h.name}: ${h.says}` })),
    ...halves.filter(h => h.health === 'unknown').map(h => ({ level: 'unknown', text: `${h.name}: ${h.says}` })),
    ...failures.filter(f => !f.over).toReversed().map(f => asItem(f, at)),
    ...warnings.map(text => ({ level: 'warning', text })),
    ...failures.filter(f => f.over).toReversed().map(f => asItem(f, at)),
  ];
  const isBad = items.some(i => i.level === 'problem' || i.level === 'failure' || i.level === 'unknown');
  $('no-findings').hidden = isBad;
  set('no-findings', items.length
    ? 'Nothing that needs a human now.'
    : `Nothing: no problem, no warning, and no failure since this process started at ${clock(process.started_at, at)}.`);
  rows($('findings'), items, 'li', (element, item) => {
    element.dataset.level = item.level;
    cells(element, ['span', 'span', 'span'], [item.level === 'past' ? 'over' : item.level, item.text, item.when ?? '']);
  });
}

function asItem(f, at) {
  const times = f.times === 1 ? 'once' : `${number(f.times)} times since ${clock(f.first, at)}, last`;
  const when = `${times} at ${clockAndAge(f.last, at)}${f.over ? '; it works again' : ''}`;
  return { level: f.over ? 'past' : 'failure', text: `${f.half}: ${f.problem} ${f.remedy}`, when };
}

function showHour({ flow, capture, lag, at }) {
  set('seen-by', flow.since === null ? '' : flow.seen_by === 'process'
    ? `as the process itself has seen it since ${clock(flow.since, at)}`
    : `only what requests for this page have seen, since ${clock(flow.since, at)}`);
  charts[0].show(flow.samples, at, [rate(flow.published_per_second), rate(flow.stored_per_second)]);
  charts[1].show(flow.samples, at, [duration(capture?.lag_seconds)]);
  charts[2].show(flow.samples, at, [number(lag)]);
}

function showCapture({ capture, source, at }) {
  const w = capture?.window ?? null;
  $('window').hidden = w === null;
  if (w !== null) {
    set('window-text', joined(
      `${w.kind}, window ${number(w.number)}`,
      `${number(w.rows)}${w.rows_expected !== null ? ` of about ${number(w.rows_expected)}` : ''} rows in ${plural(w.pages, 'page')}`,
      w.rows_per_second !== null && `${rate(w.rows_per_second)} rows/s`,
      w.seconds_left !== null && `about ${duration(w.seconds_left)} left`,
      `since ${clock(w.started_at, at)}`));
    $('window-progress').hidden = w.progress === null;
    if (w.progress !== null) $('window-progress').value = w.progress;
  }
  const capturedUpTo = capture === null ? 'nothing captured yet'
    : capture.captured_up_to === null ? (capture.held_back ? 'rows of the initial load are held back' : 'the initial load is not done')
    : clockAndAge(capture.captured_up_to, at);
  const { oldest_transaction: oldest, hidden_transaction: hidden } = source;
  const heldBack = capture?.held_back ?? null;
  facts('capture', [
    ['Captured up to', capturedUpTo],
    ['Next window reads from', capture?.next_from ? clock(capture.next_from, at) : capture ? 'the beginning' : unknown],
    ['Published', capture ? `${plural(capture.rows_published, 'row version')} in ${plural(capture.windows_taken, 'window')}` : unknown],
    ...(heldBack ? [['Held back', heldBackRows(heldBack, at)]] : []),
    ...(hidden ? [['Hidden transaction', joined(`session ${hidden.pid}`, hidden.application, `there for ${duration(hidden.seconds)}`)]] : []),
    ['Oldest open transaction', !source.reachable ? unknown : oldest ? transaction(oldest, at) : 'none'],
    ['Poller', source.version === null ? unknown : source.poller ? poller(source.poller, at) : 'none: no session holds the lock'],
    ['Capture mode', source.capture_mode ?? unknown],
  ]);
}

const transaction = (t, at) => joined(
  `${t.kind} for ${duration(t.seconds)}`, `since ${clock(t.started_at, at)}`, t.pid !== null && `session ${t.pid}`, t.application);

const heldBackRows = ({ since, by }, at) => joined(
  since === null ? 'committed rows' : `rows committed since ${clock(since, at)}`,
  by ? `behind ${transaction(by, at)}` : 'the transaction has ended, or is not known');

const poller = (p, at) => joined(
  `session ${p.pid}`, p.application, p.client_address && `from ${p.client_address}`, `since ${clock(p.since, at)}`);

function showLake({ lake, partitions, audit, at }) {
  const last = partitions.map(p => p.committed_at).filter(t => t !== null).sort((a, b) => new Date(a) - new Date(b)).at(-1) ?? null;
  facts('lake', [
    ['Stored', lake.reachable ? `${plural(lake.rows, 'row')} in ${plural(lake.files, 'file')}` : unknown],
    ['Last commit', last ? clockAndAge(last, at) : lake.reachable ? 'none yet' : unknown],
    ['Quarantined', lake.reachable ? plural(lake.quarantined, 'record') : unknown],
    ...(lake.dropped > 0 ? [['Do not count', `${plural(lake.dropped, 'record')} of pages that were sent again or not finished`]] : []),
    ['Compared with the table', audit ? `${clockAndAge(audit.compared_at, at)}: ${audit.says}` : 'not yet'],
    ['Folder', lake.path],
  ]);
  $('quarantine').hidden = !lake.quarantine_causes.length;
  rows($('causes'), lake.quarantine_causes, 'li', (element, cause) => cells(element, ['b', 'span'], [number(cause.records), cause.reason]));
}

function showPartitions({ partitions, at }) {
  table('partitions', partitions, ['th', ...Array(8).fill('td')], p => [
    String(p.partition), number(p.low), number(p.high), number(p.next), number(p.lag),
    number(p.rows), number(p.files), number(p.quarantined),
    p.committed_at ? ago(p.committed_at, at) : unknown,
  ], 'nothing stored, and no topic seen yet');
}

function showFiles({ lake, at }) {
  table('files', lake.newest_files, ['td', 'td', 'td', 'td'], f => [
    clockAndAge(f.committed_at, at), number(f.rows), bytes(f.bytes), f.path,
  ], 'none yet');
}

function facts(id, pairs) {
  rows($(id), pairs, 'div', (element, [name, value]) => cells(element, ['dt', 'dd'], [name, value]));
}

function table(id, items, tags, texts, none) {
  const body = $(id).tBodies[0];
  rows(body, items.length ? items : [null], 'tr', (row, item) => {
    if (item === null) {
      cells(row, ['td'], [none]);
      row.cells[0].colSpan = tags.length;
      row.cells[0].className = 'text quiet';
      return;
    }
    cells(row, tags, texts(item));
    [...row.cells].forEach((cell, i) => {
      if (cell.tagName === 'TH') cell.scope = 'row';
      cell.className = $(id).tHead.rows[0].cells[i].className;
    });
  });
}

/** As many children as items, each filled anew; those that are there stay, so that focus and selection do. */
function rows(parent, items, tag, fill) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  while (parent.children.length < items.length) parent.append(document.createElement(tag));
  items.forEach((item, i) => fill(parent.children[i], item));
}

function cells(parent, tags, texts) {
  const same = parent.children.length === tags.length && tags.every((tag, i) => parent.children[i].localName === tag);
  if (!same) parent.replaceChildren(...tags.map(tag => document.createElement(tag)));
  texts.forEach((text, i) => setText(parent.children[i], text));
}
