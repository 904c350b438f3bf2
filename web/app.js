// The page: two views, and the search view's life. No framework, nothing fetched from elsewhere.
import {FRAME, Pad, fromDrawing, paint, toDrawing} from './draw.js';
import {Runs} from './runs.js';

const $ = id => document.getElementById(id);
const TOP = 12;
const PAUSE = 70;        // milliseconds after a change before it is asked about
const PATIENCE = 400;    // milliseconds that a question has before a newer one takes its place

class Problem extends Error {
  constructor(status, message) { super(message); this.status = status; }
}
async function api(path, body, signal) {
  const response = await fetch('api/v1/' + path, body ? {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body), signal} : {signal});
  const json = await response.json().catch(() => null);
  if (!response.ok) throw new Problem(response.status, json?.error?.message ?? `the server answers ${response.status}`);
  return json;
}
function problem(e) {
  const text = e === null ? '' : e instanceof Problem ? e.message : 'The server does not answer.';
  $('banner').textContent = text && text[0].toUpperCase() + text.slice(1);
  $('banner').hidden = !text;
}

const count = n => n >= 1e9 ? (n / 1e9).toPrecision(3) + ' G' : n >= 1e6 ? (n / 1e6).toPrecision(3) + ' M' : n >= 1e3 ? (n / 1e3).toPrecision(3) + ' k' : String(n);
const time = ms => ms >= 100 ? Math.round(ms) + ' ms' : ms >= 10 ? ms.toFixed(1) + ' ms' : ms.toFixed(2) + ' ms';
const times = v => v >= 10 ? Math.round(v) + '×' : v.toFixed(1) + '×';
const element = (name, className, ...children) => {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...children);
  return e;
};

// ---- search ----

let info = null, comparing = false, flight = null, timer = null, asked = '';

const pad = new Pad($('pad'), done => {
  const empty = !pad.all.length;
  $('invite').hidden = !empty;
  for (const id of ['undo', 'clear', 'replay']) $(id).disabled = empty;
  const n = pad.all.length;
  $('count').textContent = empty ? '' : `${n} stroke${n === 1 ? '' : 's'}`;
  schedule(done ? 0 : PAUSE);
});

function schedule(wait) {
  if (wait === 0) { clearTimeout(timer); timer = null; return ask(); }
  timer ??= setTimeout(() => { timer = null; ask(); }, wait);
}

// The newest drawing is what counts. A question under way gets a moment to be answered, so that photos move while the pen
// does, and is given up for the newer one then.
async function ask(again = 0) {
  const strokes = pad.all, empty = !strokes.length || !info?.search;
  if (flight && !empty && performance.now() - flight.began < PATIENCE) { flight.newer = true; return; }
  flight?.abort();
  flight = null;
  if (empty) { asked = ''; return showNothing(); }
  const question = {drawing: toDrawing(strokes), frame: FRAME, top: TOP, ...(comparing ? {compare: 'full'} : {})};
  const text = JSON.stringify(question);
  if (text === asked) return;
  const mine = flight = new AbortController();
  mine.began = performance.now();
  $('photos').classList.add('waiting');
  try {
    const {answer, full} = await api('query', question, mine.signal);
    if (flight !== mine) return;
    asked = text;
    problem(null);
    show(answer, full);
  } catch (e) {
    if (e.name === 'AbortError' || flight !== mine) return;
    if (e.status === 503 && again < 5) return void setTimeout(() => flight || ask(again + 1), 500);
    problem(e);
  } finally {
    if (flight === mine) {
      flight = null;
      $('photos').classList.remove('waiting');
      if (mine.newer) ask();
    }
  }
}

function showNothing() {
  $('say').textContent = info?.search ? 'Photos appear here as you draw.' : '';
  $('photos').replaceChildren();
  $('photos').classList.remove('waiting');
  $('full-photos').replaceChildren();
  $('full-part').hidden = $('cost').hidden = true;
  $('ghosts').hidden = !info?.search;
}

// Photos that stay keep their element and glide to their new place.
function showPhotos(list, photos) {
  const had = new Map([...list.children].map(li => [li.dataset.photo, li]));
  const from = new Map([...had].map(([k, li]) => [k, li.getBoundingClientRect()]));
  const items = photos.map((p, i) => {
    let li = had.get(String(p.photo));
    if (!li) {
      const image = element('img');
      image.src = 'api/v1/photos/' + p.photo;
      image.alt = p.category || p.id;
      image.decoding = 'async';
      const name = element('span', '', p.id);
      name.title = p.id;
      li = element('li', '', element('div', 'frame', image, element('span', 'rank')), element('p', '', name, element('span', '')));
      li.dataset.photo = p.photo;
    }
    li.querySelector('.rank').textContent = i + 1;
    li.querySelector('p span:last-child').textContent = p.distance.toFixed(2);
    li.querySelector('p span:last-child').title = 'distance';
    return li;
  });
  list.replaceChildren(...items);
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) return;
  for (const li of items) {
    const was = from.get(li.dataset.photo), is = li.getBoundingClientRect();
    if (was && (was.left !== is.left || was.top !== is.top)) li.animate([{transform: `translate(${was.left - is.left}px, ${was.top - is.top}px)`}, {transform: 'none'}], {duration: 180, easing: 'ease-out'});
  }
}

function showAnswer(a, slowest, title) {
  const bar = element('div', 'bar'), body = element('tbody');
  bar.setAttribute('aria-hidden', 'true');
  for (const s of a.steps) {
    const part = element('i', 'step-' + s.name);
    part.style.width = 100 * s.ms / slowest + '%';
    bar.append(part);
    const head = element('th', '', element('span', 'dot step-' + s.name), s.name);
    head.scope = 'row';
    body.append(element('tr', '', head, element('td', '', time(s.ms)), element('td', '', s.macs ? count(s.macs) + ' MACs' : '')));
  }
  return element('div', 'answer', element('div', 'sum', element('b', '', time(a.ms)), element('span', '', `${title}, ${count(a.macs)} MACs`)), bar, element('table', 'steps', body));
}

function showCanvases(a) {
  const sides = info.search.canvases.map(c => c.side), largest = Math.max(...sides);
  $('canvases').replaceChildren(...sides.map((side, i) => {
    const square = element('i');
    square.style.width = square.style.height = Math.max(6, 44 * side / largest) + 'px';
    const chance = a.chances[i];
    return element('div', side === a.canvas ? 'is' : '', square, `${side}`, ...(chance === undefined ? [] : [element('br'), chance < 0.005 ? '<1 %' : Math.round(100 * chance) + ' %']));
  }));
  const how = a.chances.length ? `chosen with ${Math.round(100 * a.chances[sides.indexOf(a.canvas)])} % by the selector` : 'fixed';
  $('canvases').setAttribute('aria-label', `Canvas of ${a.canvas} pixels, ${how}, of ${sides.join(', ')}`);
}

function show(answer, full) {
  $('ghosts').hidden = true;
  showPhotos($('photos'), answer.photos);
  $('say').textContent = answer.photos.length ? `Nearest of ${info.search.photos.toLocaleString('en')} photos: ${answer.photos[0].id}. Drawn at ${answer.canvas} × ${answer.canvas} pixels, ${time(answer.ms)}.` : 'No photos.';
  $('cost').hidden = false;
  showCanvases(answer);
  const slowest = Math.max(answer.ms, full?.ms ?? 0) || 1;
  $('bars').replaceChildren(showAnswer(answer, slowest, `at ${answer.canvas} × ${answer.canvas}`), ...(full ? [showAnswer(full, slowest, `full size, ${full.canvas} × ${full.canvas}`)] : []));
  $('verdict').hidden = $('full-part').hidden = !full;
  if (!full) return;
  const both = new Set(full.photos.map(p => p.photo)), same = answer.photos.filter(p => both.has(p.photo)).length;
  const first = answer.photos[0]?.photo === full.photos[0]?.photo ? 'the same first photo' : 'another first photo';
  const saved = full.macs / Math.max(1, answer.macs);
  const work = saved < 1.05 ? 'As much work as at full size' : `${times(saved)} fewer MACs, ${times(full.ms / Math.max(1e-6, answer.ms))} the speed`;
  $('verdict').textContent = `${work}; ${first}, ${same} of ${answer.photos.length} in common.`;
  showPhotos($('full-photos'), full.photos);
}

$('undo').onclick = () => pad.undo();
$('clear').onclick = () => { pad.clear(); $('pad').focus(); };
$('replay').onclick = () => pad.replay();
$('compare').onclick = e => {
  comparing = !comparing;
  e.currentTarget.setAttribute('aria-pressed', comparing);
  ask();
};

async function loadExamples() {
  const {examples} = await api('examples');
  $('examples-card').hidden = !examples.length;
  $('examples').replaceChildren(...examples.map((e, i) => {
    const strokes = fromDrawing(e.drawing, e.frame ?? FRAME), button = element('button'), canvas = element('canvas');
    canvas.width = canvas.height = 128;
    const tint = () => {
      const c = canvas.getContext('2d');
      c.clearRect(0, 0, 128, 128);
      paint(c, strokes, 128, 5, getComputedStyle(document.documentElement).getPropertyValue('--pen'));
    };
    tint();
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', tint);
    button.type = 'button';
    button.setAttribute('aria-label', 'Example: ' + (e.label || i + 1));
    button.title = e.label;
    button.onclick = () => { pad.clear(); pad.replay(strokes); };
    button.append(canvas);
    return element('li', '', button);
  }));
}

// ---- views ----

const runs = new Runs(api, problem);

function route() {
  const [view, key] = (location.hash.slice(1) || (info && !info.search ? 'runs' : 'search')).split('/');
  const onRuns = view === 'runs';
  $('search').hidden = onRuns;
  $('runs').hidden = !onRuns;
  for (const [id, on] of [['to-search', !onRuns], ['to-runs', onRuns]]) on ? $(id).setAttribute('aria-current', 'page') : $(id).removeAttribute('aria-current');
  document.title = onRuns ? 'Runs – hone' : 'hone';
  if (onRuns) runs.show(key);
  else { runs.hide(); pad.draw(); }
}
addEventListener('hashchange', route);

try {
  info = await api('info');
  const s = info.search;
  $('facts').textContent = s ? `${s.network} · ${s.photos.toLocaleString('en')} photos · ${s.search} · ${s.engine}` : '';
  $('machine').textContent = `hone ${info.version} on ${info.machine.cpu || info.machine.system}, ${info.machine.cores} core${info.machine.cores === 1 ? '' : 's'}`;
  if (s) {
    if (s.full) $('compare').textContent = 'Compare with ' + s.full;
    await loadExamples();
  } else {
    $('to-search').hidden = true;
  }
} catch (e) {
  problem(e);
}
pad.changed(true);
route();
