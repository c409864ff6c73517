// Small line charts of the last minutes, hour or day. Each is a picture for the eye, a slider for the keyboard (left and right
// read a moment out), and a table for everybody.

import { clock, duration, unknown } from './words.js';

const svg = 'http://www.w3.org/2000/svg';
const width = 600, height = 120, points = 120, tableRows = 12;
const leastSpan = 5 * 60_000, hour = 60 * 60_000;

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function shape(name, attributes) {
  const element = document.createElementNS(svg, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export class Chart {
  /**
   * @param title What is measured.
   * @param lines Each with name, css class, a function that takes its value from a sample, and how several become one: mean or max.
   * @param word How a value is written.
   */
  constructor(title, lines, word) {
    Object.assign(this, { title, lines, word, bins: [], at: null });
    const id = `chart-${title.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
    this.legend = make('p', { className: 'legend' });
    this.now = lines.map(line => {
      const value = make('b');
      this.legend.append(make('span', { className: `key ${line.css}` }, lines.length > 1 ? `${line.name} ` : '', value));
      return value;
    });
    this.picture = shape('svg', { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    this.shades = shape('g', {});
    this.picture.append(this.shades);
    for (const y of [0.5, height / 2, height - 0.5]) this.picture.append(shape('line', { class: 'grid', x1: 0, x2: width, y1: y, y2: y }));
    this.paths = lines.map(line => {
      const area = shape('path', { class: `area ${line.css}` }), stroke = shape('path', { class: `line ${line.css}` });
      this.picture.append(area, stroke);
      return { area, stroke };
    });
    this.peaks = shape('path', { class: 'peaks' });
    this.picture.append(this.peaks);
    this.cursor = shape('line', { class: 'cursor', y1: 0, y2: height, visibility: 'hidden' });
    this.picture.append(this.cursor);
    this.top = make('span', { className: 'top-label' });
    this.left = make('span'), this.read = make('span', { className: 'read' });
    this.plot = make('div', { className: 'plot', tabIndex: 0 }, this.picture, this.top);
    const aria = { role: 'slider', 'aria-labelledby': id, 'aria-valuemin': 0, 'aria-valuemax': points - 1 };
    for (const [name, value] of Object.entries(aria)) this.plot.setAttribute(name, value);
    this.body = make('tbody');
    const heading = l => `${l.name} (${l.several === 'max' ? 'highest' : 'mean'})`;
    const columns = ['Until', ...lines.map(heading)].map(textContent => make('th', { scope: 'col', textContent }));
    const head = make('tr', {}, ...columns);
    this.table = make('details', {}, make('summary', { textContent: 'As a table' }), make('table', {}, make('thead', {}, head), this.body));
    this.element = make('figure', {},
      make('figcaption', {}, make('h3', { id, textContent: title }), this.legend), this.plot,
      make('p', { className: 'axis', ariaHidden: 'true' }, this.left, this.read, make('span', { textContent: 'now' })), this.table);
    this.plot.addEventListener('pointermove', e => this.point(Math.floor(e.offsetX / this.plot.clientWidth * points)));
    this.plot.addEventListener('pointerleave', () => this.point(null));
    this.plot.addEventListener('blur', () => this.point(null));
    this.plot.addEventListener('keydown', e => this.key(e));
  }

  /**
   * @param span At the most so long, in milliseconds.
   * @param now Values of the moment, one a line, as words.
   */
  show(samples, end, span, now) {
    this.end = new Date(end).getTime();
    const first = samples.length ? new Date(samples[0].at).getTime() : this.end;
    this.span = Math.min(span, Math.max(leastSpan, this.end - first));
    // Between two samples that are far apart nothing is known; a bin or two without one is only their pace.
    this.reach = this.span > hour ? 2 : 12;
    this.bins = this.lines.map(line => this.bin(samples, line, points));
    const highest = Math.max(0, ...this.bins.flat().filter(v => v !== null));
    this.scale = nice(this.usual(highest));
    this.now.forEach((element, i) => setText(element, now[i]));
    const above = highest > this.scale ? `, peak ${this.word(highest)}` : '';
    setText(this.top, samples.length ? this.word(this.scale) + above : '');
    setText(this.left, `${duration(this.span / 1000)} ago`);
    this.paths.forEach((path, i) => this.draw(path, this.bins[i]));
    this.shade(samples);
    this.peaks.setAttribute('d', this.bins.flatMap(bins => bins.map((v, i) => v > this.scale
      ? `M${((i + 0.5) / points * width - 5).toFixed(1)} 9l5 -8l5 8Z` : '')).join(''));
    if (this.table.open) this.fill(samples);
    this.table.ontoggle = () => this.fill(samples);
    this.point(this.at);
    if (this.at === null) this.say(points - 1);
  }

  /** Up to where most of it is: a peak that is over is cut off and marked, so that the rest is no flat line. */
  usual(highest) {
    const values = this.bins.flat().filter(v => v !== null && v > 0).sort((a, b) => a - b);
    const most = values[Math.floor(values.length * 0.9)] ?? 0;
    const isNow = this.bins.some(bins => bins.slice(-5).some(v => v > 2 * most));
    return values.length > 20 && highest > 5 * most && !isNow ? 2 * most : highest;
  }

  /** What was not well, and when nobody looked. */
  shade(samples) {
    const kinds = Array(points).fill('gap');
    const first = samples.length ? this.placeOf(samples[0], points) : points;
    let known = -Infinity, wrong = false;
    const at = new Map();
    for (const sample of samples) {
      const place = Math.min(points - 1, this.placeOf(sample, points));
      at.set(place, at.get(place) === 'wrong' || sample.health === 'wrong' ? 'wrong' : 'well');
    }
    for (let i = 0; i < points; i++) {
      if (at.has(i)) [known, wrong] = [i, at.get(i) === 'wrong'];
      // What is before the first sample is no outage: there is no more to show.
      kinds[i] = i < first || (i - known <= this.reach && !wrong) ? '' : i - known <= this.reach ? 'wrong' : 'gap';
    }
    const runs = [];
    kinds.forEach((kind, i) => {
      if (kind && runs.at(-1)?.kind === kind && runs.at(-1).end === i) runs.at(-1).end++;
      else if (kind) runs.push({ kind, begin: i, end: i + 1 });
    });
    const scale = width / points;
    this.shades.replaceChildren(...runs.map(run => shape('rect', {
      class: `shade ${run.kind}`, x: run.begin * scale, y: 0, width: (run.end - run.begin) * scale, height,
    })));
  }

  placeOf(sample, count) {
    return Math.floor((new Date(sample.at).getTime() - (this.end - this.span)) / this.span * count);
  }

  bin(samples, line, count) {
    const bins = Array.from({ length: count }, () => []);
    for (const sample of samples) {
      const value = line.value(sample) ?? null;
      const place = this.placeOf(sample, count);
      if (value !== null && place >= 0) bins[Math.min(place, count - 1)].push(value);
    }
    const one = line.several === 'max' ? b => Math.max(...b) : b => b.reduce((sum, v) => sum + v, 0) / b.length;
    return bins.map(b => b.length ? one(b) : null);
  }

  draw({ area, stroke }, bins) {
    const y = value => height - 2 - Math.min(1, value / this.scale) * (height - 6);
    const at = bins.map((value, i) => value === null ? null : [(i + 0.5) / points * width, y(value)]);
    const known = at.filter(p => p !== null);
    const gap = width / points * this.reach;
    let line = '', fill = '', begun = null, last = null;
    for (const point of known) {
      const text = `${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
      if (last === null || point[0] - last[0] > gap) {
        if (last !== null) fill += `L${last[0].toFixed(1)} ${height}L${begun[0].toFixed(1)} ${height}Z`;
        [line, fill, begun] = [`${line}M${text}`, `${fill}M${text}`, point];
      } else {
        [line, fill] = [`${line}L${text}`, `${fill}L${text}`];
      }
      last = point;
    }
    if (last !== null) fill += `L${last[0].toFixed(1)} ${height}L${begun[0].toFixed(1)} ${height}Z`;
    stroke.setAttribute('d', line);
    area.setAttribute('d', fill);
  }

  point(place) {
    this.at = place === null ? null : Math.min(points - 1, Math.max(0, place));
    this.cursor.setAttribute('visibility', this.at === null ? 'hidden' : 'visible');
    if (this.at === null) return setText(this.read, '');
    const x = (this.at + 0.5) / points * width;
    this.cursor.setAttribute('x1', x);
    this.cursor.setAttribute('x2', x);
    setText(this.read, this.say(this.at));
  }

  say(place) {
    const moment = clock(this.end - this.span * (points - 1 - place) / points, this.end);
    const named = (line, i) => `${this.lines.length > 1 ? line.name + ' ' : ''}${this.near(this.bins[i], place)}`;
    const values = this.lines.map(named).join(', ');
    this.plot.setAttribute('aria-valuenow', place);
    this.plot.setAttribute('aria-valuetext', `${moment}: ${values}`);
    return `${moment}  ${values}`;
  }

  /** The value there, or the one before it where the samples are further apart than the bins. */
  near(bins, place) {
    for (let i = place; i >= Math.max(0, place - this.reach); i--) if (bins[i] !== null && bins[i] !== undefined) return this.word(bins[i]);
    return unknown;
  }

  key(event) {
    const step = {
      ArrowLeft: -1, ArrowRight: 1, ArrowDown: -1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -points, End: points,
    }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.point((this.at ?? points - 1) + step);
  }

  fill(samples) {
    const columns = this.lines.map(line => this.bin(samples, line, tableRows));
    this.body.replaceChildren(...Array.from({ length: tableRows }, (_, row) => make('tr', {},
      make('th', { scope: 'row', textContent: clock(this.end - this.span * (tableRows - 1 - row) / tableRows, this.end) }),
      ...columns.map(column => make('td', { textContent: column[row] === null ? unknown : this.word(column[row]) })))));
  }
}

/** The next of 1, 2, 5, 10 ... at or above it. */
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find(step => step * power >= value) * power;
}

/** Only what changed is touched, so that a selection or a reader's place is not lost. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
