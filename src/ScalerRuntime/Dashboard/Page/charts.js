'use strict';
// Charts in SVG, drawn anew each second from plain arrays. Every text is set as text, never as markup: keys come from callers.

const SVG = 'http://www.w3.org/2000/svg';

/** An HTML element with attributes and children; strings become text. */
function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.filter(c => c !== null && c !== undefined));
  return element;
}

/** Numbers for people: about three digits. */
function number(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en-US');
  if (size >= 10) return value.toFixed(1).replace(/\.0$/, '');
  if (size >= 0.01 || size === 0) return value.toFixed(2).replace(/\.?0+$/, '');
  return value.toPrecision(1);
}

/** A length of time, from ms. */
function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return '–';
  if (ms < 1) return `${number(ms * 1000)} µs`;
  if (ms < 1000) return `${number(ms)} ms`;
  if (ms < 120e3) return `${number(ms / 1e3)} s`;
  if (ms < 7200e3) return `${number(ms / 60e3)} min`;
  return `${number(ms / 3600e3)} h`;
}

function niceCeiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].find(n => n * power >= value * 0.9999) * power;
}

function swatch(color, dashed) {
  const box = svg('svg', { width: 12, height: 10, 'aria-hidden': 'true' });
  box.append(dashed
    ? svg('line', { x1: 0, y1: 5, x2: 12, y2: 5, stroke: color, 'stroke-width': 2, 'stroke-dasharray': '4 2' })
    : svg('rect', { width: 12, height: 10, rx: 2, fill: color }));
  return box;
}

function legend(series) {
  return el('ul', { class: 'legend' }, ...series.map(s => el('li', {}, swatch(s.color, s.dashed), s.name)));
}

/** A table in a box that scrolls by itself where it is too wide. */
function table(columns, rows, caption) {
  const head = el('tr', {}, ...columns.map(c => el('th', { scope: 'col', class: c.number ? 'number' : null }, c.title)));
  const body = rows.map(row => el('tr', { class: row.class }, ...row.cells.map((cell, i) =>
    el('td', { class: columns[i].number ? 'number' : columns[i].class }, cell))));
  return el('div', { class: 'scroll' }, el('table', {}, caption ? el('caption', { class: 'note' }, caption) : null, el('thead', {}, head), el('tbody', {}, ...body)));
}

/**
 * A chart over time. Its cursor follows the pointer and the arrow keys; what stands there is said in words below, and the last points are a
 * table for who cannot see the chart.
 */
class TimeChart {
  constructor(title, unit, series, { stacked = false, log = false, format = number } = {}) {
    Object.assign(this, { title, unit, series, stacked, log, format, times: [], values: series.map(() => []), cursor: null });
    this.box = svg('svg', { role: 'img', tabindex: 0, height: 170 });
    this.readout = el('p', { class: 'readout', 'aria-live': 'polite' });
    this.asTable = el('div');
    this.details = el('details', {}, el('summary', {}, 'As a table'), this.asTable);
    this.figure = el('figure', { class: 'card' }, el('figcaption', {}, title, ' ', el('small', {}, unit)), this.box, legend(series), this.readout, this.details);
    this.box.addEventListener('pointermove', e => this.point(e.clientX - this.box.getBoundingClientRect().left));
    this.box.addEventListener('pointerleave', () => { this.cursor = null; this.draw(); });
    this.box.addEventListener('blur', () => { this.cursor = null; this.draw(); });
    this.box.addEventListener('keydown', e => this.step(e));
    this.details.addEventListener('toggle', () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.figure);
  }

  set(times, values) {
    // The cursor stays with its moment, not with its place.
    const at = this.cursor === null ? null : this.times[this.cursor];
    Object.assign(this, { times, values });
    this.cursor = at === null ? null : Math.max(0, times.indexOf(at));
    this.draw();
  }

  point(x) {
    if (!this.times.length || !this.scale) return;
    const time = this.scale.invert(x);
    let best = 0;
    this.times.forEach((t, i) => { if (Math.abs(t - time) < Math.abs(this.times[best] - time)) best = i; });
    this.cursor = best;
    this.draw();
  }

  step(event) {
    const last = this.times.length - 1;
    const from = this.cursor ?? last;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last, Escape: null }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.cursor = to === null ? null : Math.min(Math.max(to, 0), last);
    this.draw();
  }

  describe(i) {
    const ago = this.times[this.times.length - 1] - this.times[i];
    return `${ago < 0.5 ? 'now' : `${duration(ago * 1e3)} ago`}: ` + this.series.map((s, k) => `${s.name} ${this.format(this.values[k][i])}`).join(', ');
  }

  draw() {
    const width = Math.max(200, Math.floor(this.figure.clientWidth) - 28), height = 170;
    const left = 52, right = 6, top = 6, bottom = 20;
    const { times, series, stacked, log } = this;
    const box = this.box;
    box.replaceChildren();
    box.setAttribute('width', width);
    box.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const last = times.length - 1;
    box.setAttribute('aria-label', last < 0 ? `${this.title}: no figures yet` : `${this.title}, ${this.unit}. ${this.describe(last)}. Arrow keys go through the time.`);
    const until = last < 0 ? 0 : times[last];
    const span = Math.max(30, last < 0 ? 0 : until - times[0]);
    const x = t => left + (width - left - right) * (1 - (until - t) / span);
    this.scale = { invert: px => until - span * (1 - (px - left) / (width - left - right)) };

    const tops = times.map((_, i) => {
      const at = this.values.map(v => v[i] ?? 0);
      return stacked ? at.reduce((a, b) => a + b, 0) : Math.max(...at);
    });
    const most = Math.max(0, ...tops);
    let y, ticks;
    if (log) {
      const seen = this.values.flat().filter(v => v > 0);
      const low = Math.floor(Math.log10(seen.length ? Math.min(...seen) : 0.01));
      const high = Math.max(low + 1, Math.ceil(Math.log10(seen.length ? Math.max(...seen) : 1)));
      y = v => top + (height - top - bottom) * (1 - (Math.log10(Math.max(v, 10 ** low)) - low) / (high - low));
      ticks = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
    } else {
      const ceiling = niceCeiling(most);
      y = v => top + (height - top - bottom) * (1 - v / ceiling);
      ticks = [0, ceiling / 2, ceiling];
    }
    for (const tick of ticks) {
      box.append(
        svg('line', { class: 'gridline', x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
        svg('text', { x: left - 5, y: y(tick) + 4, 'text-anchor': 'end' }, this.format(tick)));
    }
    for (const [share, anchor] of [[0, 'start'], [0.5, 'middle'], [1, 'end']]) {
      const ago = span * (1 - share);
      box.append(svg('text', { x: left + (width - left - right) * share, y: height - 5, 'text-anchor': anchor }, ago === 0 ? 'now' : `${duration(ago < 120 ? Math.round(ago) * 1e3 : ago * 1e3)} ago`));
    }
    const below = times.map(() => 0);
    series.forEach((s, k) => {
      const values = this.values[k];
      for (const [from, to] of this.runs(values)) {
        const line = [], base = [];
        for (let i = from; i <= to; i++) {
          const bottomAt = stacked ? below[i] : 0;
          line.push(`${x(times[i]).toFixed(1)},${y(bottomAt + values[i]).toFixed(1)}`);
          if (stacked) base.unshift(`${x(times[i]).toFixed(1)},${y(bottomAt).toFixed(1)}`);
        }
        box.append(stacked
          ? svg('path', { d: `M${line.join('L')}L${base.join('L')}Z`, fill: s.color })
          : svg('path', { d: `M${line.join('L')}`, fill: 'none', stroke: s.color, 'stroke-width': 2, 'stroke-dasharray': s.dashed ? '5 3' : null }));
      }
      if (stacked) values.forEach((v, i) => { below[i] += v ?? 0; });
    });
    if (this.cursor !== null && this.cursor <= last) {
      const at = x(times[this.cursor]);
      box.append(svg('line', { class: 'cursor', x1: at, x2: at, y1: top, y2: height - bottom }));
      this.readout.textContent = this.describe(this.cursor);
    } else {
      this.readout.textContent = '';
    }
    this.asTable.replaceChildren();
    if (this.details.open) {
      const rows = times.map((t, i) => i).slice(-15).reverse().map(i => ({
        cells: [`${number(until - times[i])} s ago`, ...this.values.map(v => this.format(v[i]))],
      }));
      this.asTable.append(table([{ title: 'when' }, ...series.map(s => ({ title: s.name, number: true }))], rows));
    }
  }

  /** Stretches without a gap: of what is known, and of a time in which somebody looked. */
  runs(values) {
    const runs = [];
    let from = -1;
    for (let i = 0; i <= values.length; i++) {
      const known = i < values.length && values[i] !== null && values[i] !== undefined;
      const far = i > 0 && i < values.length && this.times[i] - this.times[i - 1] > 5;
      if (from >= 0 && (!known || far)) { runs.push([from, i - 1]); from = -1; }
      if (from < 0 && known) from = i;
    }
    return runs;
  }
}

/** Horizontal bars of parts; each row is { name: element, label, parts: [numbers] }. */
function bars(rows, series, unit, rowTitle = 'function') {
  const most = Math.max(1e-9, ...rows.map(r => r.parts.reduce((a, b) => a + b, 0)));
  return el('div', {}, legend(series), table(
    [{ title: rowTitle, class: 'name' }, { title: unit, class: 'bars' }, { title: 'in all', number: true }],
    rows.map(row => {
      const box = svg('svg', { class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img', 'aria-label': series.map((s, i) => `${s.name} ${number(row.parts[i])}`).join(', ') });
      let x = 0;
      row.parts.forEach((part, i) => {
        const width = 100 * part / most;
        box.append(svg('rect', { x, y: 0, width: Math.max(0, width), height: 10, fill: series[i].color }));
        x += width;
      });
      return { cells: [row.name, box, row.label ?? number(row.parts.reduce((a, b) => a + b, 0))], class: row.class };
    })));
}

/** The histogram of a rank's idle gaps on a logarithmic axis, with the plan drawn into it. */
function gapHistogram(rank, width) {
  const height = 200, left = 44, right = 10, top = 18, bottom = 24, ratio = 2 ** 0.25;
  const plan = rank.plan;
  const ends = rank.gaps.map(g => g.upToMs).filter(v => v !== null);
  const marks = plan ? [plan.holdSeconds * 1e3, ...plan.prewarms.flatMap(w => [w.fromSeconds * 1e3, w.untilSeconds * 1e3])].filter(v => v > 0) : [];
  const low = Math.max(0.5, Math.min(...ends.map(v => v / ratio), ...marks, 1000) / 2);
  const high = Math.max(...ends, ...marks, 10000) * 1.5;
  const x = ms => left + (width - left - right) * (Math.log(Math.min(Math.max(ms, low), high) / low) / Math.log(high / low));
  const most = Math.max(0.01, ...rank.gaps.map(g => g.share));
  const y = share => top + (height - top - bottom) * (1 - share / most);
  const words = planInWords(plan);
  const box = svg('svg', { role: 'img', width, height, viewBox: `0 0 ${width} ${height}`, 'aria-label': `Histogram of ${rank.gapsSeen} idle gaps. ${words}` });
  if (plan) {
    if (plan.holdSeconds > 0) {
      box.append(svg('rect', { x: left, y: top, width: Math.max(2, x(plan.holdSeconds * 1e3) - left), height: height - top - bottom, fill: 'var(--plan)', opacity: 0.22 }));
    }
    for (const w of plan.prewarms) {
      const from = x(w.fromSeconds * 1e3);
      box.append(svg('rect', { x: from, y: top, width: Math.max(2, x(w.untilSeconds * 1e3) - from), height: height - top - bottom, fill: 'var(--second)', opacity: 0.25 }));
    }
  }
  for (const share of [0, most / 2, most]) {
    box.append(
      svg('line', { class: 'gridline', x1: left, x2: width - right, y1: y(share), y2: y(share) }),
      svg('text', { x: left - 5, y: y(share) + 4, 'text-anchor': 'end' }, `${number(100 * share)} %`));
  }
  for (let ms = 10 ** Math.ceil(Math.log10(low)); ms <= high; ms *= 10) {
    box.append(svg('text', { x: x(ms), y: height - 8, 'text-anchor': 'middle' }, duration(ms)));
  }
  for (const g of rank.gaps) {
    const to = g.upToMs ?? high, from = g.upToMs === null ? high / ratio : to / ratio;
    box.append(svg('rect', { x: x(from) + 0.5, y: y(g.share), width: Math.max(1.5, x(to) - x(from) - 1), height: height - bottom - y(g.share), fill: 'var(--first)' }));
  }
  if (plan) {
    const at = x(plan.holdSeconds * 1e3);
    box.append(
      svg('line', { x1: at, x2: at, y1: top - 4, y2: height - bottom, stroke: 'var(--plan)', 'stroke-width': 2 }),
      svg('text', { x: Math.min(at + 4, width - 70), y: top - 6 }, `held ${duration(plan.holdSeconds * 1e3)}`));
  }
  return el('figure', { class: 'card' },
    el('figcaption', {}, 'Idle gaps and the plan ', el('small', {}, 'share of gaps, by length')),
    box,
    legend([{ name: 'gaps', color: 'var(--first)' }, { name: 'held', color: 'var(--plan)' }, { name: 'made ahead', color: 'var(--second)' }]),
    el('p', { class: 'note' }, words),
    el('details', {}, el('summary', {}, 'As a table'), table(
      [{ title: 'gaps up to', number: true }, { title: 'share', number: true }],
      rank.gaps.map(g => ({ cells: [g.upToMs === null ? 'longer' : duration(g.upToMs), `${number(100 * g.share)} %`] })))));
}

function planInWords(plan) {
  if (!plan) return 'There is no plan yet: too few gaps were seen.';
  const windows = plan.prewarms.map(w => `made again ${duration(w.fromSeconds * 1e3)} after the gap began, and held until ${duration(w.untilSeconds * 1e3)}`);
  const hold = plan.holdSeconds > 0 ? `held for ${duration(plan.holdSeconds * 1e3)} from the beginning of a gap` : 'given back at the beginning of a gap';
  return `The plan: an instance is ${[hold, ...windows].join('; ')}.`;
}
