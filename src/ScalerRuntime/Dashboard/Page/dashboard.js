'use strict';
// The page: asks the scaler, keeps what it said, and puts it on the page.

const $ = id => document.getElementById(id);
const most = 600;
// A platform shows the same figures of its own books: what a scaler does, and not why.
const platform = document.querySelector('meta[name=of]').content === 'platform';
const refused = platform ? 'failed' : 'rejected';
const since = platform ? 'in this run' : 'since the start';
const state = { points: [], latest: null, explained: null, live: document.querySelector('meta[name=live]').content };

// A key comes with the address (?code=…, as Azure writes it) or is asked for. It leaves the address, and stays in this tab.
const address = new URL(location.href);
if (address.searchParams.has('code')) {
  sessionStorage.setItem('key', address.searchParams.get('code'));
  address.searchParams.delete('code');
  history.replaceState(null, '', address);
}

function headers() {
  const key = sessionStorage.getItem('key');
  return key ? { 'x-functions-key': key, authorization: `Bearer ${key}` } : {};
}

class Refused extends Error {
  constructor(status, words) { super(words); this.status = status; }
}

async function ask(path, signal) {
  const answer = await fetch(path, { headers: headers(), signal, cache: 'no-store' });
  if (answer.ok) return answer;
  const words = await answer.json().then(body => body.error, () => null);
  throw new Refused(answer.status, words ?? `the scaler answered ${answer.status}`);
}

function say(words, lost) {
  if ($('state').textContent !== words) $('state').textContent = words;
  $('state').classList.toggle('lost', Boolean(lost));
}

// --- Staying up to date -------------------------------------------------------------------------------------------------------------

let watching = null;

function watch() {
  watching?.abort();
  watching = new AbortController();
  keepWatching(watching.signal);
}

async function keepWatching(signal) {
  for (let pause = 1000; !signal.aborted; pause = Math.min(pause * 2, 10e3)) {
    try {
      if (state.live === 'stream') await stream(signal, () => { pause = 500; });
      else await poll(signal, () => { pause = 500; });
    } catch (e) {
      if (signal.aborted) return;
      if (e.status === 401 || e.status === 403) return askForKey(e.message);
      if (e.status === 429) { state.live = 'poll'; continue; }
    }
    if (signal.aborted) return;
    say('no answer: the figures are the last ones known', true);
    await new Promise(resolve => setTimeout(resolve, pause));
  }
}

async function stream(signal, works) {
  const answer = await ask('api/dashboard/stream', signal);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) {
      const [event, data] = text.slice(0, end).split('\n');
      take(event.slice('event: '.length), JSON.parse(data.slice('data: '.length)));
      works();
    }
  }
}

async function poll(signal, works) {
  take('history', await (await ask('api/dashboard?history=true', signal)).json());
  for (;;) {
    take('snapshot', await (await ask('api/dashboard', signal)).json());
    works();
    await new Promise(resolve => setTimeout(resolve, 2000));
    if (signal.aborted) return;
  }
}

function take(event, data) {
  if (event === 'history') {
    state.points = data;
    return;
  }
  // A scaler that has started anew counts its time anew.
  const last = state.points[state.points.length - 1];
  if (last && data.point.atSeconds < last.atSeconds) state.points = [];
  if (!last || data.point.atSeconds > last.atSeconds) state.points.push(data.point);
  if (state.points.length > most) state.points.shift();
  state.latest = data;
  $('key').hidden = true;
  say('live');
  render();
}

function askForKey(why) {
  say('a key is wanted', true);
  $('key-why').textContent = why;
  $('key').hidden = false;
  $('key-value').focus();
}

$('key').addEventListener('submit', e => {
  e.preventDefault();
  sessionStorage.setItem('key', $('key-value').value);
  $('key-value').value = '';
  watch();
});

// Nobody looks at a page in the background: it lets go, so that nothing is worked out for it.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    watching?.abort();
    say('paused');
  } else {
    watch();
  }
});

// --- All functions ------------------------------------------------------------------------------------------------------------------

const colors = name => `var(--${name})`;
const states = [
  { name: 'busy', color: colors('busy') }, { name: 'idle', color: colors('idle') }, { name: 'being made', color: colors('inflight') },
];
const charts = [
  {
    chart: new TimeChart('Requests', 'per second, by how they came by their instance', [
      { name: 'warm', color: colors('warm') }, { name: 'waited', color: colors('waited') },
      { name: 'cold', color: colors('cold') }, { name: refused, color: colors('rejected') },
    ], { stacked: true }),
    read: [p => p.warm, p => p.waited, p => p.cold, p => p.rejected],
  },
  {
    chart: new TimeChart('Scheduling time', 'from Assign to its answer, of the last 10 s', [
      { name: 'p50', color: colors('first') }, { name: 'p95', color: colors('second'), dashed: true }, { name: 'p99', color: colors('third') },
    ], { log: true, format: duration }),
    read: [p => p.p50Ms, p => p.p95Ms, p => p.p99Ms],
  },
  { chart: new TimeChart('Instances', 'by state', states, { stacked: true }), read: [p => p.busy, p => p.idle, p => p.inFlight] },
  {
    chart: new TimeChart('Memory', 'GB', [
      { name: 'held', color: colors('second') }, { name: 'used by requests', color: colors('busy') },
    ]),
    read: [p => p.heldGb, p => p.usedGb],
  },
  { chart: new TimeChart('Waiting', 'requests without an instance', [{ name: 'waiting', color: colors('waited') }]), read: [p => p.waiting] },
  {
    chart: new TimeChart('Price', 'GB·s for a second of waiting', [{ name: 'price', color: colors('first') }]),
    read: [p => p.priceGbsPerSecond], only: s => s.point.priceGbsPerSecond !== null,
  },
];
$('charts').append(...charts.map(c => c.chart.figure));

function link(key) {
  return el('a', { href: `#function=${encodeURIComponent(key)}` }, key);
}

function tile(name, value, more) {
  return el('div', {}, el('dt', {}, name), el('dd', {}, value, more ? el('small', {}, more) : null));
}

function tiles(s) {
  const { requests, calls, score, budget } = s.totals, p = s.point;
  const granted = requests.warm + requests.waited + requests.cold;
  const perSecond = [p.warm, p.waited, p.cold, p.rejected].reduce((a, b) => a + (b ?? 0), 0);
  const unused = p.heldGb - p.usedGb, price = p.priceGbsPerSecond;
  const list = [
    tile('requests per second', p.warm === null ? '–' : number(perSecond), `${number(requests.assigns)} ${since}`),
    tile('hit rate', granted ? `${number(100 * requests.warm / granted)} %` : '–', `warm; waited ${number(100 * requests.waited / (granted || 1))} %, cold ${number(100 * requests.cold / (granted || 1))} %`),
    tile('waiting now', number(p.waiting), `${number(requests.rejected)} ${refused} ${since}`),
    tile('scheduling time p50', duration(p.p50Ms), `p95 ${duration(p.p95Ms)}, p99 ${duration(p.p99Ms)}`),
    tile('instances', number(p.busy + p.idle + p.inFlight), `${number(p.busy)} busy, ${number(p.idle)} idle, ${number(p.inFlight)} being made`),
    tile('memory held', `${number(p.heldGb)} GB`, `${number(p.usedGb)} GB used by requests`),
    platform ? tile('score so far', number(score.score), `resource score ${number(score.resourceScore)}, latency score ${number(score.latencyScore)}, of 50 each`)
    : tile('price of waiting', price === null ? 'none' : `${number(price)} GB·s`, price === null ? 'this policy puts none on it' : 'for a second of one request'),
    tile('costs now', `${number(unused + p.waiting * (price ?? 0))} GB·s/s`, `memory unused ${number(unused)}` + (price === null ? '' : `, waiting ${number(p.waiting * price)}`)),
    tile(`wasted ${since}`, `${number(score.slotGbSeconds - score.executionGbSeconds)} GB·s`, `of ${number(score.slotGbSeconds)} held` + (platform ? '' : `; score ${number(score.score)}`)),
    tile(platform ? 'calls of the scaler' : 'backend calls', number(calls.creates), `created; ${number(calls.destroys)} destroyed, ${number(calls.failures)} ${platform ? 'wrong' : 'failed'}`),
    platform ? null
    : budget
      ? tile('budget', `${number(budget.createsLeft)} creations left`, `${number(budget.heldCreates)} held back, ${number(budget.throttled)} throttled`)
      : tile('budget', 'none', 'this backend does not ration its calls'),
    tile('functions', number(s.functionCount), platform ? 'that the scaler or a request has named' : s.failingCount ? `${number(s.failingCount)} fail to start` : 'none fails to start'),
  ].filter(Boolean);
  // A tile that stays the same stays the same element, so that a reader's place is not lost.
  const old = $('tiles').children;
  list.forEach((t, i) => {
    if (!old[i]) $('tiles').append(t);
    else if (!old[i].isEqualNode(t)) old[i].replaceWith(t);
  });
}

function ranking(title, functions, unit, figure, none) {
  return el('div', { class: 'card' }, el('h3', {}, title), functions.length
    ? table([{ title: 'function', class: 'name' }, { title: unit, number: true }], functions.map(f => ({ cells: [link(f.key), figure(f)] })))
    : el('p', { class: 'empty' }, none));
}

function lists(s) {
  const failing = platform ? el('div', { class: 'card' }, el('h3', {}, 'What the scaler did wrong'), s.totals.misuses.length
    ? el('div', {}, ...s.totals.misuses.map(m => el('p', { class: 'words' }, m)))
    : el('p', { class: 'empty' }, 'Nothing.'))
    : el('div', { class: 'card' }, el('h3', {}, 'Failing to start'), s.failing.length
    ? el('div', {}, ...s.failing.map(f => el('p', { class: 'words' }, link(f.key), ': ', f.failing)))
    : el('p', { class: 'empty' }, 'No function fails to start.'));
  const cards = [
    el('div', { class: 'card' }, el('h3', {}, 'Instances per function'), s.largest.length
      ? bars(s.largest.map(f => ({ name: link(f.key), parts: [f.busy, f.idle, f.inFlight] })), states, 'instances')
      : el('p', { class: 'empty' }, 'There are no instances.')),
    ranking('Busiest', s.busiest, 'requests/s', f => number(f.arrivalsPerSecond), 'No requests of late.'),
    ranking('Most waiting', s.mostWaiting, 'requests that wait', f => number(f.meanWaiting), 'Nobody waits.'),
    ranking('Most wasteful', s.mostWasteful, 'GB unused', f => number(f.unusedGb), 'No memory is unused.'),
    failing,
  ];
  keep($('lists'), cards);
}

/** Replaces children that have changed, and keeps the keyboard's place among their links. */
function keep(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  const old = [...parent.children];
  children.forEach((child, i) => {
    if (!old[i]) parent.append(child);
    else if (!old[i].isEqualNode(child)) old[i].replaceWith(child);
  });
  old.slice(children.length).forEach(child => child.remove());
  if (focused !== null && !parent.contains(document.activeElement)) {
    [...parent.querySelectorAll('a')].find(a => a.getAttribute('href') === focused)?.focus();
  }
}

function render() {
  const s = state.latest;
  if (!s) return;
  const t = s.totals;
  $('about').textContent = `${platform ? '' : `policy ${s.policy}, backend `}${t.backend}, up ${duration(t.atSeconds * 1e3)}`;
  if (!$('overview').hidden) {
    tiles(s);
    const times = state.points.map(p => p.atSeconds);
    for (const c of charts) {
      c.chart.figure.hidden = Boolean(c.only && !c.only(s));
      c.chart.set(times, c.read.map(f => state.points.map(f)));
    }
    lists(s);
  }
}

// --- Search -------------------------------------------------------------------------------------------------------------------------

let searchLater = 0;

async function search() {
  clearTimeout(searchLater);
  const text = $('search').value.trim();
  $('results').hidden = !text;
  if (!text) return;
  try {
    const found = await (await ask(`api/dashboard/functions?order=busiest&limit=50&search=${encodeURIComponent(text)}`)).json();
    if ($('search').value.trim() !== text) return;
    const words = found.found === 0 ? `No function has “${text}” in its key.`
      : found.found > found.functions.length ? `${number(found.found)} functions; the busiest ${found.functions.length} are shown.`
        : `${number(found.found)} ${found.found === 1 ? 'function' : 'functions'}.`;
    if ($('results-count').textContent !== words) $('results-count').textContent = words;
    keep($('results-table'), found.found === 0 ? [] : [table(
      [
        { title: 'function', class: 'name' }, { title: 'memory MB', number: true }, { title: 'requests', number: true }, { title: 'per second', number: true },
        { title: 'busy', number: true }, { title: 'idle', number: true }, { title: 'waiting', number: true }, { title: 'execution', number: true },
      ],
      found.functions.map(f => ({
        cells: [
          link(f.key), number(f.memoryMb), number(f.arrivals), number(f.arrivalsPerSecond), number(f.busy), number(f.idle), number(f.waiting),
          f.meanDurationMs ? duration(f.meanDurationMs) : '–',
        ],
        class: f.failing ? 'failing' : null,
      })))]);
  } catch (e) {
    $('results-count').textContent = e.message;
  }
  if (!document.hidden) searchLater = setTimeout(search, 3000);
}

$('search').addEventListener('input', () => { clearTimeout(searchLater); searchLater = setTimeout(search, 200); });
$('find').addEventListener('submit', e => { e.preventDefault(); search(); });

// --- One function -------------------------------------------------------------------------------------------------------------------

let functionLater = 0;
let shown = null;
let shownRank = 0;

function route() {
  clearTimeout(functionLater);
  const hash = location.hash;
  let key = null;
  if (hash.startsWith('#function=')) {
    try { key = decodeURIComponent(hash.slice('#function='.length)); } catch { key = null; }
  }
  $('overview').hidden = key !== null;
  $('function').hidden = key === null;
  document.title = key === null ? 'FuncScaler' : `${key} – FuncScaler`;
  if (key !== shown) {
    shown = key;
    shownRank = 0;
    $('function').replaceChildren();
    if (key !== null) {
      $('search').value = '';
      $('results').hidden = true;
      $('function').append(el('h2', { class: 'title', tabindex: -1 }, key), el('p', { class: 'note', role: 'status' }, 'asking'));
      $('function').firstChild.focus();
    }
  }
  if (key === null) render();
  else showFunction(key);
}

async function showFunction(key) {
  let figures = [], explained = null, why = null;
  try {
    const name = encodeURIComponent(key);
    [figures, explained] = await Promise.all([
      ask(`api/dashboard/functions?key=${name}`).then(a => a.json()),
      // The answer may be that there is nothing to explain, which is no error of this page.
      ask(`api/dashboard/explain?key=${name}`).then(a => a.json()).then(a => { why = a.whyNot; return a.explanation; }),
    ]);
  } catch (e) {
    why = e.message;
  }
  if (shown !== key) return;
  functionPage(key, figures, explained, why);
  if (!document.hidden) functionLater = setTimeout(() => showFunction(key), 2000);
}

document.addEventListener('visibilitychange', () => { if (!document.hidden && shown !== null) route(); });

function functionPage(key, figures, explained, why) {
  const page = $('function');
  const focusedRank = document.activeElement?.id === 'rank';
  const open = [...page.querySelectorAll('details')].map(d => d.open);
  const parts = [el('p', {}, el('a', { href: '#' }, '← all functions'))];
  const failing = explained?.failing ?? figures.find(f => f.failing)?.failing;
  if (failing) parts.push(el('p', { class: 'words' }, el('strong', {}, 'Its instances fail to start. '), 'The backend says: ', failing));
  for (const f of figures) {
    parts.push(el('dl', { class: 'tiles' },
      tile('settings', `${number(f.memoryMb)} MB`, f.runtime ? `runtime ${f.runtime}` : 'no runtime named'),
      tile('requests', number(f.arrivals), `${number(f.arrivalsPerSecond)} per second of late`),
      tile('instances', number(f.busy + f.idle + f.inFlight), `${number(f.busy)} busy, ${number(f.idle)} idle, ${number(f.inFlight)} being made`),
      ...f.requestsPerInstance > 1 ? [tile('executing', number(f.executing), `up to ${number(f.requestsPerInstance)} requests an instance`)] : [],
      tile('waiting', number(f.waiting), 'requests without an instance'),
      tile('execution', f.meanDurationMs ? duration(f.meanDurationMs) : '–', 'mean'),
      tile('cold start', f.meanColdStartMs ? duration(f.meanColdStartMs) : '–', 'mean of create and init'),
      tile('memory unused', `${number(f.unusedGb)} GB`, 'of late')));
  }
  if (!figures.length && !why) parts.push(el('p', {}, 'The scaler does not know this function: no request has asked for it, or it is forgotten.'));
  if (why) parts.push(el('p', { class: 'note' }, why));
  if (explained) parts.push(...explanation(explained));
  const body = el('div', {}, ...parts);
  [...body.querySelectorAll('.tiles > div')].forEach(d => d.classList.add('card'));
  [...body.querySelectorAll('details')].forEach((d, i) => { d.open = Boolean(open[i]); });
  const focused = page.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
  if (page.children[1]) page.children[1].replaceWith(body); else page.append(body);
  [...page.children].slice(2).forEach(c => c.remove());
  if (focusedRank) $('rank')?.focus();
  else if (focused) body.querySelector('a').focus();
}

function explanation(e) {
  const parts = [];
  const ranks = e.ranks.filter(r => r.gapsSeen > 0 || r.plan);
  const name = r => r.fromRank === r.toRank ? `instance ${r.fromRank}` : `instances ${r.fromRank} to ${r.toRank}`;
  if (ranks.length) {
    shownRank = Math.min(shownRank, ranks.length - 1);
    const chosen = el('select', { id: 'rank' }, ...ranks.map((r, i) => el('option', { value: i, selected: i === shownRank }, `${name(r)}, ${number(r.gapsSeen)} gaps`)));
    chosen.addEventListener('change', () => { shownRank = Number(chosen.value); clearTimeout(functionLater); showFunction(shown); });
    const width = Math.max(260, $('main').clientWidth - 60);
    parts.push(el('h2', {}, 'When it is used again'), el('p', {}, el('label', { for: 'rank' }, 'Gaps of '), chosen), gapHistogram(ranks[shownRank], width));
  } else {
    parts.push(el('p', { class: 'empty' }, 'No idle gap was seen yet.'));
  }
  if (e.period) {
    parts.push(el('p', {}, `Its requests repeat every ${duration(e.period.seconds * 1e3)}, give or take ${duration(e.period.marginSeconds * 1e3)}: `
      + (e.period.reliability > 0 ? `${number(100 * e.period.reliability)} % of what that foretells comes. ` : 'too little was foretold yet to rely on it. ')
      + (e.period.followed ? 'Instances are made by it.' : 'Instances are not made by it.')));
  }
  const price = e.price.gbsPerSecond;
  parts.push(
    el('h2', {}, 'What it chooses among'),
    el('p', { class: 'note' }, `What each candidate would have cost this function of late, at ${number(price)} GB·s for a second of waiting. It follows ${e.followed}.`),
    el('div', { class: 'card' }, bars(
      e.candidates.map(c => ({
        name: c.name === e.followed ? `▸ ${c.name} (followed)` : c.name,
        parts: [c.slotGbSeconds, c.waitSeconds * price],
        label: `${number(c.costGbs)} GB·s`,
        class: c.name === e.followed ? 'followed' : null,
      })),
      [{ name: 'memory beyond execution', color: colors('second') }, { name: 'waiting, at the price', color: colors('waited') }],
      'cost', 'candidate')),
    el('h2', {}, 'At other prices'),
    el('p', { class: 'note' }, 'What it would follow if waiting had another price, and what that would have cost, with the waits at that price.'),
    el('div', { class: 'card' }, bars(
      e.prices.map(p => ({
        name: `${p.gbsPerSecond === price ? '▸ ' : ''}${number(p.gbsPerSecond)}: ${p.followed}`,
        parts: [p.memoryGbs, p.waitingGbs],
        label: `${number(p.costGbs)} GB·s`,
        class: p.gbsPerSecond === price ? 'followed' : null,
      })),
      [{ name: 'memory beyond execution', color: colors('second') }, { name: 'waiting, at the price', color: colors('waited') }],
      'cost', 'price')),
    el('h2', {}, 'What it decided last'),
    e.decisions.length
      ? el('ol', { class: 'decisions' }, ...[...e.decisions].reverse().map(d => el('li', {}, el('time', {}, `${duration(Math.max(0, e.atSeconds - d.atSeconds) * 1e3)} ago. `), d.sentence)))
      : el('p', { class: 'empty' }, 'Nothing yet.'));
  return parts;
}

addEventListener('hashchange', route);
route();
watch();
