// Asks for the status every two seconds and shows it. Every text is set as text, never as markup.

import { Chart, setText } from './charts.js';
import { rowOf } from './runbook.js';
import { ago, bytes, clock, clockAndAge, duration, number, plural, rate, unknown } from './words.js';

const period = 2_000, patience = 15_000, dayPeriod = 60_000;
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
  new Chart('Records not yet in the lake', [{ name: 'Lag', css: 'two', value: s => s.lake_lag_seconds, several: 'max' }], duration),
  new Chart('From a commit to a file', [{ name: 'At most', css: 'two', value: s => s.latency_seconds, several: 'max' }], duration),
];
$('charts').append(...charts.map(chart => chart.element));

let minutes = 60;
let day = { samples: [], askedAt: -Infinity };
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
$('check').addEventListener('toggle', () => { if ($('check').open) askForCheck(); });
setInterval(() => { if (lostSince !== null) showContact(); }, 1_000);
$('ranges').addEventListener('click', e => {
  if (!e.target.dataset.minutes) return;
  minutes = Number(e.target.dataset.minutes);
  for (const button of $('ranges').children) button.setAttribute('aria-pressed', button === e.target);
  if (shown) showCourse(shown);
});
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
  const findings = findingsOf(status);
  set('summary', summary(status, findings));
  showPath(status);
  showFindings(status, findings);
  showCourse(status);
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
const newest = times => times.filter(t => t !== null).sort((a, b) => new Date(a) - new Date(b)).at(-1) ?? null;
const lastCommit = partitions => newest(partitions.map(p => p.committed_at));
/** A commit may have none: of a fence, of an end that was passed over. */
const lastRows = (lake, flow) => newest([lake.newest_files?.[0]?.committed_at ?? null, flow.last_stored_at ?? null]);

/** Where it stands, in a sentence or three. */
function summary({ health, lake, capture, flow, lag, audit, at }, findings) {
  const first = findings.find(f => f.level !== 'warning' && f.level !== 'past');
  const about = first ? ` ${first.cause.split(/(?<=[.;])\s/)[0].replace(/[.;]$/, '')}.` : '';
  const state = { well: 'Running.', wrong: `Needs help:${about}`, unknown: `Not all can be told:${about}` }[health];
  const last = lake.reachable ? lastRows(lake, flow) : null;
  const all = health === 'well' && lag === 0 && capture?.lag_seconds === 0;
  const rows = last === null ? '' : `The newest rows came into the lake ${ago(last, at)}${all ? ', and nothing waits' : ''}.`;
  const found = !audit ? '' : audit.differences ? 'they differed'
    : audit.extra ? `equal, but for ${plural(audit.extra, 'row')} that only the lake has` : 'equal';
  const compared = found && `Compared with the table ${ago(audit.compared_at, at)}: ${found}.`;
  return [state, rows, compared].filter(t => t).join(' ');
}

function showPath({ source, topic, lake, capture, halves, flow, partitions, lag, hidden, lag_max_seconds: lagMax, at }) {
  const [capturing, storing] = [halfOf(halves, 'PostgresToKafka'), halfOf(halves, 'KafkaToLake')];
  showHalf('capture', capturing, source.reachable && topic.reachable);
  showHalf('lake', storing, topic.reachable && lake.reachable);
  showStation('source', source.reachable, topic.reachable, capturing, { fails: 'not read', nobody: 'nobody reads' });
  set('source-table', source.table);
  set('source-address', source.address);
  set('source-facts', source.reachable ? joined(
    source.version && `version ${source.version.split(' ')[0]}`,
    source.rows !== null && `about ${plural(source.rows, 'row')}`) : '');

  set('published-rate', rate(flow.published_per_second));
  const captureLag = capture?.lag_seconds ?? null;
  const heldBack = capture?.held_back ?? null;
  const upTo = capture?.captured_up_to ?? null;
  const notKnown = heldBack ? 'rows held back' : upTo !== null ? `at most ${behind(at, upTo)} behind`
    : capture ? 'initial load not done' : undefined;
  const captureText = heldBack ? `rows held back for ${duration(captureLag)}`
    : captureLag === 0 ? 'up to date' : `${duration(captureLag)} behind`;
  setLag('capture', captureLag, captureText, capturing, captureLag > lagMax, heldBack !== null, notKnown);
  set('capture-now', joined(
    capture?.window && windowInShort(capture.window), lastRow(flow.published_per_second, flow.last_published_at, at)));

  showStation('topic', topic.reachable, true, null, {}, topic.exists === false ? 'topic not created yet' : null, hidden > 0);
  set('topic-name', topic.name);
  set('topic-address', topic.brokers);
  set('topic-facts', topic.reachable ? joined(
    topic.version && `version ${topic.version}`,
    plural(topic.broker_count, 'broker'),
    topic.exists && plural(partitions.length, 'partition')) : '');

  set('stored-rate', rate(flow.stored_per_second));
  const age = lag > 0 ? storing?.lag_seconds ?? null : null;
  const text = hidden > 0 ? `${plural(hidden, 'offset')} hidden behind a transaction`
    : lag === 0 ? 'up to date' : joined(age !== null && `${duration(age)} behind`, `${plural(lag, 'record')} waiting`);
  setLag('lake', hidden > 0 ? hidden : lag, text, storing, age > lagMax, hidden > 0, lakeLagAtLeast(storing, flow, at));
  set('lake-now', joined(
    lag > 0 && flow.stored_per_second > 0 && `${duration(lag / flow.stored_per_second)} at this rate`,
    lastRow(flow.stored_per_second, lastRows(lake, flow), at)));

  showStation('lake', lake.reachable, topic.reachable, storing, { fails: 'not written', nobody: 'nobody writes' });
  set('lake-rows', lake.reachable ? plural(lake.rows, 'row') : unknown);
  set('lake-path', lake.path);
  set('lake-facts', lake.reachable ? joined(
    plural(lake.files, 'file'),
    lake.quarantined > 0 && `${number(lake.quarantined)} quarantined`) : '');
}

const behind = (at, since) => duration(Math.max(0, Math.round((new Date(at) - new Date(since)) / 1000)));

/** Where nothing flows: since when. */
const lastRow = (perSecond, last, at) => !perSecond && last ? `last row ${ago(last, at)}` : '';

/** What can still be said of the lake's lag where the topic cannot be asked. */
function lakeLagAtLeast(storing, flow, at) {
  const least = storing?.lag_seconds_min ?? null;
  if (least !== null) return `at least ${duration(least)} behind`;
  const seen = flow.samples.findLast(s => s.lake_lag_records !== null);
  if (!seen) return undefined;
  return `${seen.lake_lag_records === 0 ? 'up to date' : `${plural(seen.lake_lag_records, 'record')} waiting`} ${ago(seen.at, at)}`;
}

/**
 * A box is as well as what is done there: what can be reached, and is neither read nor written, is not, unless it is the way's other end
 * that cannot be reached.
 */
function showStation(part, isReachable, isOtherReachable, half, words, note = null, isWrong = false) {
  const health = half?.health ?? 'well';
  const idle = fails(half) ? words.fails : half?.state === 'nobody' ? words.nobody : half?.state === 'silent' ? words.fails : null;
  const state = !isReachable || isWrong || (health === 'wrong' && isOtherReachable) ? 'wrong' : note || health !== 'well' ? 'note' : 'well';
  const word = !isReachable ? (part === 'lake' ? 'not readable' : 'not reachable') : (state !== 'well' && idle) || note || 'reachable';
  $(`station-${part}`).dataset.state = state;
  $(`${part}-state`).dataset.state = state;
  set(`${part}-state`, word);
}

const doing = {
  running: 'running', standing_by: 'standing by', retrying: 'tries again', stopped: 'stopped', silent: 'not heard of', nobody: 'nobody runs it',
};

/** Its arrow is whole where both ends can be reached and somebody carries rows along it. */
function showHalf(id, half, reachesBoth) {
  const state = half?.health ?? 'unknown';
  const hop = $(`hop-${id}`);
  hop.dataset.state = !reachesBoth ? 'wrong' : state === 'unknown' ? 'note' : state;
  hop.classList.toggle('broken', hop.dataset.state === 'wrong');
  hop.classList.toggle('idle', state === 'unknown');
  $(`${id}-half`).dataset.state = state === 'unknown' ? 'note' : state;
  set(`${id}-half`, half ? doing[half.state] ?? half.state : unknown);
}

function setLag(id, lag, text, half, isLate, isWrong, notKnown = 'lag not known') {
  const wrong = isWrong || half?.health === 'wrong';
  const state = lag === null ? 'unknown' : isLate ? 'late' : 'behind';
  $(`${id}-lag`).dataset.state = lag === 0 ? 'well' : wrong ? 'wrong' : state;
  set(`${id}-lag`, lag === null ? notKnown : text);
}

const percent = share => `${Math.floor(share * 100)} %`;

const windowInShort = w => joined(
  w.kind, w.progress !== null && percent(w.progress), w.seconds_left !== null && `${duration(w.seconds_left)} left`);

/** One remedy may be that of several files. */
function isOfOnePlace(one, other) {
  const [a, b] = [one, other].map(text => text.match(/'([^']*)'/)?.[1]);
  return a === undefined || b === undefined || a === b;
}

const plain = { remedy: '', halves: [], when: '', where: '' };

/** What is wrong, each cause once: who met it stands beside it, and what to do stands first. */
function findingsOf({ findings, warnings, failures, halves, source, topic, lake, at }) {
  const addresses = { source: `Postgres at ${source.address}`, topic: `Kafka at ${topic.brokers}`, lake: `The lake at ${lake.path}` };
  const causes = [];
  const add = (remedy, cause, more) => {
    const known = causes.find(c => c.remedy === remedy && isOfOnePlace(c.cause, cause));
    if (!known) return void causes.push({ level: 'problem', remedy, cause, halves: [], when: '', where: '', ...more });
    // The one with more to say names the address.
    if (cause.length > known.cause.length) known.cause = cause;
    known.halves = [...new Set([...known.halves, ...more.halves ?? []])];
    known.when ||= more.when;
    known.where ||= more.where ?? '';
  };
  for (const { part, problem, remedy } of findings) add(remedy, problem, { where: addresses[part] ?? '' });
  for (const f of failures.filter(f => !f.over).toReversed()) add(remedyOf(f), f.problem, { halves: [f.half], when: times(f, at) });
  for (const half of halves.filter(h => h.health === 'wrong')) {
    const known = fails(half) ? causes.find(c => half.says.includes(c.remedy) || c.halves.includes(half.name)) : null;
    if (known) known.halves = [...new Set([...known.halves, half.name])];
    else causes.push({ ...plain, level: 'problem', ...saidOf(half) });
  }
  return [
    ...causes.map(c => ({ ...c, where: isNamed(c) ? '' : c.where })),
    ...halves.filter(h => h.health === 'unknown').map(h => ({ ...plain, level: 'unknown', ...saidOf(h) })),
    ...lake.quarantine_causes.map(c => ({ ...plain, level: 'warning', remedy: replay, cause: quarantined(c) })),
    ...warnings.map(cause => ({ ...plain, level: 'warning', cause })),
    ...failures.filter(f => f.over).toReversed().map(f => ({
      ...plain, level: 'past', remedy: remedyOf(f), cause: f.problem, halves: [f.half], when: `${times(f, at)}; it works again`,
    })),
  ];
}

const replay = "'quarantine list' tells where they lie: correct them, and 'quarantine replay' sends them again.";
const quarantined = ({ records, reason }) => `quarantined ${number(records)} of the topic's records: ${reason}`;

/** Of what is tried again by itself that is said first, which is nothing to do. */
const remedyOf = f => f.remedy.replace(/^It is tried again .*?; nothing is lost meanwhile\. /, '');

/** What it says of itself, with what is to be done apart from it. */
function saidOf({ name, says, remedy }) {
  const cause = remedy && says.endsWith(remedy) ? says.slice(0, -remedy.length).trim() : says;
  return { remedy: cause === says ? '' : remedy, cause: `${name}: ${cause}` };
}

const isNamed = c => c.where !== '' && c.cause.includes(c.where.split(' at ')[1]);

const times = (f, at) =>
  `${f.times === 1 ? 'once' : `${number(f.times)} times since ${clock(f.first, at)}, last`} at ${clockAndAge(f.last, at)}`;

function showFindings({ process, at }, findings) {
  const now = findings.filter(f => f.level !== 'past'), past = findings.filter(f => f.level === 'past');
  const isBad = now.some(f => f.level !== 'warning');
  $('no-findings').hidden = isBad;
  set('no-findings', findings.length
    ? 'Nothing that needs a human now.'
    : `Nothing: no problem, no warning, and no failure since this process started at ${clock(process.started_at, at)}.`);
  $('past').hidden = past.length === 0;
  set('past-count', `${plural(past.length, 'failure')} that ${past.length === 1 ? 'is' : 'are'} over`);
  showList('findings', now);
  showList('past-findings', past);
}

function showList(id, findings) {
  rows($(id), findings, 'li', (element, f) => {
    element.dataset.level = f.level;
    cells(element, ['span', 'strong', 'span', 'span', 'a'], [
      f.level === 'past' ? 'over' : f.level, f.remedy, f.cause, joined(f.where, f.halves.join(' and '), f.when), '',
    ]);
    // What is told of the source has a row for all of it, as the log says it.
    const found = rowOf(f.cause) ?? (f.level === 'warning' ? rowOf(`source: ${f.cause}`) : null);
    const link = element.lastElementChild;
    link.hidden = found === null;
    if (found === null) return;
    link.href = `runbook#${found.id}`;
    setText(link, `docs/operations.md: ${found.says}`);
  });
}

function showCourse(status) {
  const { flow, capture, halves, process, at } = status;
  const isKept = flow.since !== null && new Date(flow.since) < new Date(process.started_at);
  set('seen-by', flow.since === null ? '' : flow.seen_by === 'process'
    ? `as ${isKept ? 'this process and those before it have' : 'the process itself has'} seen it since ${clock(flow.since, at)}`
    : `only what requests for this page have seen, since ${clock(flow.since, at)}`);
  const span = minutes * 60_000, isDay = minutes > 60;
  if (isDay) askForDay();
  const samples = isDay ? day.samples : flow.samples;
  charts[0].show(samples, at, span, [rate(flow.published_per_second), rate(flow.stored_per_second)]);
  charts[1].show(samples, at, span, [duration(capture?.lag_seconds)]);
  charts[2].show(samples, at, span, [duration(halfOf(halves, 'KafkaToLake')?.lag_seconds)]);
  charts[3].show(samples, at, span, [duration(flow.samples.at(-1)?.latency_seconds)]);
}

/** Once a minute, since that is how often there is more. */
async function askForDay() {
  if (Date.now() - day.askedAt < dayPeriod) return;
  day.askedAt = Date.now();
  try {
    const answer = await fetch('api/history', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`history ${answer.status}`);
    day.samples = (await answer.json()).samples;
    if (shown) showCourse(shown);
  } catch {
    // Lost contact is told by whoever asks for the status.
    day.askedAt = -Infinity;
  }
}

const grades = { failure: 'problem', warning: 'warning', unknown: 'unknown', good: 'ok' };

/** Whoever opens it asks: it takes the servers' time, and what others were told minutes ago is told again. */
async function askForCheck() {
  set('check-says', 'Looking …');
  try {
    const answer = await fetch('api/check', { cache: 'no-store' });
    if (!answer.ok) throw new Error(`check ${answer.status}`);
    const { at, findings } = await answer.json();
    const count = grade => findings.filter(f => f.grade === grade).length;
    set('check-says', `As of ${clock(at, at)} UTC: ${joined(
      plural(count('failure'), 'thing') + ' would stop the stream or lose rows', plural(count('warning'), 'warning'),
      count('unknown') > 0 && `${plural(count('unknown'), 'thing')} could not be looked at`)}.`);
    showList('check-findings', findings.map(({ subject, grade, says, remedy }) => (
      { ...plain, level: grades[grade], remedy: remedy ?? '', cause: `${subject}: ${says}` })));
  } catch {
    set('check-says', 'It cannot be told now: close this and open it again.');
    showList('check-findings', []);
  }
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
  const last = lastCommit(partitions);
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
      const heading = $(id).tHead.rows[0].cells[i];
      cell.className = heading.className;
      cell.dataset.name = heading.textContent;
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
