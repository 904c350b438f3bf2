// The runs view: a list, and one run followed by server-sent events.

const $ = id => document.getElementById(id);
const SVG = (name, attributes) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
};
const make = (name, text, className) => {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
};
export const figure = v => v === null || v === undefined ? '–' : Number.isInteger(v) && Math.abs(v) < 1e6 ? String(v) : Math.abs(v) >= 1e-3 && Math.abs(v) < 1e5 ? String(+v.toPrecision(4)) : v.toExponential(2);
const ago = ms => ms < 90e3 ? Math.round(ms / 1000) + ' s' : ms < 90 * 60e3 ? Math.round(ms / 60e3) + ' min' : ms < 36 * 3600e3 ? Math.round(ms / 3600e3) + ' h' : Math.round(ms / 86400e3) + ' d';

// A line over steps that keeps at most `most` points: pairs are merged into their mean when there are more.
class Series {
  constructor(most = 400) { this.most = most; this.every = 1; this.points = []; this.rest = []; this.last = null; }
  add(step, value) {
    this.last = [step, value];
    this.rest.push([step, value]);
    if (this.rest.length < this.every) return;
    this.points.push(mean(this.rest));
    this.rest = [];
    if (this.points.length < this.most) return;
    const merged = [];
    for (let i = 0; i + 1 < this.points.length; i += 2) merged.push(mean([this.points[i], this.points[i + 1]]));
    this.points = merged;
    this.every *= 2;
  }
  get line() { return this.rest.length ? [...this.points, mean(this.rest)] : this.points; }
}
const mean = list => [list[list.length - 1][0], list.reduce((n, p) => n + p[1], 0) / list.length];

class Live {
  constructor(into) { this.into = into; this.clear(); }
  clear() { this.series = new Map(); this.drawn = new Map(); this.into.replaceChildren(); this.asked = false; }
  entry(event) {
    if (event.kind !== 'train' && event.kind !== 'validate' || !Number.isFinite(event.step)) return;
    for (const [name, value] of Object.entries(event)) {
      if (name === 'step' || name === 'kind' || typeof value !== 'number') continue;
      const key = event.kind + ' ' + name;
      if (!this.series.has(key)) this.series.set(key, new Series());
      this.series.get(key).add(event.step, value);
    }
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame(() => { this.asked = false; this.draw(); });
  }
  draw() {
    for (const [key, s] of this.series) {
      let d = this.drawn.get(key);
      if (!d) {
        const [kind, name] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
        const box = make('figure', undefined, kind), caption = make('figcaption'), foot = make('p');
        d = {value: make('b'), line: SVG('polyline', {}), low: make('span'), high: make('span'), svg: SVG('svg', {viewBox: '0 0 100 100', preserveAspectRatio: 'none', role: 'img'}), title: name};
        caption.append(make('span', (kind === 'train' ? '' : 'validation ') + name), d.value);
        d.svg.append(d.line);
        foot.append(d.low, d.high);
        box.append(caption, d.svg, foot);
        // Validation comes first.
        if (kind === 'validate') this.into.insertBefore(box, this.into.querySelector('figure.train'));
        else this.into.append(box);
        this.drawn.set(key, d);
      }
      const line = s.line, xs = line.map(p => p[0]), ys = line.map(p => p[1]);
      const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
      const x = v => x1 > x0 ? (v - x0) / (x1 - x0) * 100 : 50, y = v => y1 > y0 ? 95 - (v - y0) / (y1 - y0) * 90 : 50;
      d.line.setAttribute('points', (line.length === 1 ? [[x0 - 1, ys[0]], [x0 + 1, ys[0]]].map((p, i) => [i * 100, y(p[1])]) : line.map(p => [x(p[0]), y(p[1])])).map(p => p.map(v => +v.toFixed(2)).join(',')).join(' '));
      d.value.textContent = figure(s.last[1]);
      d.low.textContent = 'step ' + x0;
      d.high.textContent = 'step ' + s.last[0];
      d.svg.setAttribute('aria-label', `${d.title}: ${figure(s.last[1])} at step ${s.last[0]}, between ${figure(y0)} and ${figure(y1)}`);
    }
  }
}

export class Runs {
  constructor(api, problem) {
    this.api = api;
    this.problem = problem;
    this.live = new Live($('live'));
    this.key = null;
    this.source = null;
    this.timer = null;
  }

  async show(key) {
    await this.list();
    clearInterval(this.timer);
    this.timer = setInterval(() => document.hidden || this.list(), 5000);
    if (!key && this.runs?.length) key = (this.runs.find(r => r.state === 'running') ?? this.runs[0]).run;
    if (key && key !== this.key) this.open(key);
  }
  hide() {
    clearInterval(this.timer);
    this.close();
  }
  close() {
    this.source?.close();
    this.source = null;
    clearTimeout(this.redraw);
    this.key = null;
  }

  async list() {
    let answer;
    try {
      answer = await this.api('runs');
    } catch (e) {
      return this.problem(e);
    }
    this.runs = answer.runs;
    $('run-list').replaceChildren(...answer.runs.map(r => {
      const li = make('li'), a = make('a');
      a.href = '#runs/' + r.run;
      a.append(make('i', undefined, 'light ' + r.state), make('b', r.name));
      const best = r.best_value === null ? '' : `, ${r.watched.replace(/^-/, '')} ${figure(r.best_value)}`;
      a.append(make('small', r.state === 'running' ? `running, step ${r.step}${best}` : `${r.state} at step ${r.step}${best}, ${ago(r.idle_ms)} ago`));
      if (r.run === this.key) a.setAttribute('aria-current', 'true');
      li.append(a);
      return li;
    }));
    $('run-note').textContent = answer.unreadable.length ? 'Not readable: ' + answer.unreadable.map(u => u.name).join(', ') : answer.runs.length ? '' : 'No runs. Start the server with --runs FOLDER to watch those beneath a folder.';
  }

  open(key) {
    this.close();
    this.key = key;
    this.live.clear();
    $('run').hidden = false;
    for (const a of document.querySelectorAll('#run-list a')) a.getAttribute('href') === '#runs/' + key ? a.setAttribute('aria-current', 'true') : a.removeAttribute('aria-current');
    $('charts').replaceChildren();
    $('run-name').textContent = this.runs?.find(r => r.run === key)?.name ?? '';
    this.details();
    const source = this.source = new EventSource(`api/v1/runs/${key}/events`);
    source.addEventListener('entry', e => {
      const entry = JSON.parse(e.data);
      this.live.entry(entry);
      if (this.ready && entry.kind === 'validate') this.later();
    });
    source.addEventListener('ready', () => this.ready = true);
    source.addEventListener('reset', () => this.live.clear());
    source.addEventListener('state', e => {
      const {state} = JSON.parse(e.data), badge = $('run-state');
      if (badge.textContent && badge.textContent !== state && this.ready) this.later();
      badge.textContent = state;
      badge.className = 'state ' + state;
    });
    this.ready = false;
  }

  // Charts are drawn anew some time after a validation, not at every one.
  later() {
    clearTimeout(this.redraw);
    this.redraw = setTimeout(() => this.details(), 3000);
  }

  async details() {
    const key = this.key;
    let run;
    try {
      run = await this.api('runs/' + key);
    } catch (e) {
      if (key === this.key) this.problem(e);
      return;
    }
    if (key !== this.key) return;
    const best = Object.entries(run.best).map(([k, v]) => `${k} ${figure(v)}`).join(', ');
    $('run-name').textContent = run.name;
    $('run-facts').textContent = [`step ${run.step}`, run.began && 'began ' + run.began.replace('T', ' ').replace('Z', ' UTC'), best && `best at step ${run.best_step}: ${best}`].filter(Boolean).join(' · ');
    $('recipe').textContent = run.recipe ?? '';
    $('charts').replaceChildren(...run.charts.map((c, i) => {
      const box = make('figure', undefined, 'card chart'), title = make('h2', c.title), image = make('img');
      image.alt = c.title + (c.caption ? '. ' + c.caption : '');
      image.height = c.height;
      image.style.height = c.height + 'px';
      image.src = `api/v1/runs/${key}/charts/${i}?step=${run.step}`;
      box.append(title, image);
      if (c.caption) box.append(make('figcaption', c.caption));
      return box;
    }), ...(run.charts_missing ? [make('p', run.charts_missing, 'note')] : []));
  }
}
