// The drawing area: strokes in a frame of 256, by pointer or keyboard, undone, cleared and replayed.

export const FRAME = 256;
const MAX_STROKES = 1000, MAX_POINTS = 10000;
const NEAR = 0.75;  // points closer than this add nothing

export function paint(context, strokes, side, width, color) {
  const scale = side / FRAME;
  context.lineWidth = width * scale;
  context.lineCap = context.lineJoin = 'round';
  context.strokeStyle = context.fillStyle = color;
  for (const stroke of strokes) {
    context.beginPath();
    if (stroke.length === 1) {
      context.arc(stroke[0][0] * scale, stroke[0][1] * scale, width * scale / 2, 0, 7);
      context.fill();
      continue;
    }
    stroke.forEach(([x, y], i) => i ? context.lineTo(x * scale, y * scale) : context.moveTo(x * scale, y * scale));
    context.stroke();
  }
}

// [[xs, ys], ...] as the API has it, and back.
export const toDrawing = strokes => strokes.map(s => [s.map(p => round(p[0])), s.map(p => round(p[1]))]);
export const fromDrawing = (drawing, frame) => drawing.map(([xs, ys]) => xs.map((x, i) => [x * FRAME / frame, ys[i] * FRAME / frame]));
const round = v => Math.round(v * 10) / 10;

export class Pad {
  // `changed(done)`: strokes are others; done is false while one is being drawn.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d');
    this.changed = changed;
    this.strokes = [];
    this.stroke = null;      // being drawn
    this.pointer = null;
    this.cursor = null;      // of the keyboard: {x, y, down}
    this.playing = 0;
    canvas.addEventListener('pointerdown', e => this.down(e));
    canvas.addEventListener('pointermove', e => this.move(e));
    for (const end of ['pointerup', 'pointercancel', 'lostpointercapture']) canvas.addEventListener(end, e => this.up(e));
    canvas.addEventListener('keydown', e => this.key(e));
    canvas.addEventListener('blur', () => { this.lift(); this.cursor = null; this.draw(); });
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
  }

  get all() { return this.stroke ? [...this.strokes, this.stroke] : this.strokes; }
  get points() { return this.all.reduce((n, s) => n + s.length, 0); }

  place(event) {
    const box = this.canvas.getBoundingClientRect(), k = FRAME / box.width, clamp = v => Math.min(FRAME, Math.max(0, v));
    return [clamp((event.clientX - box.left) * k), clamp((event.clientY - box.top) * k)];
  }
  add(point) {
    const last = this.stroke[this.stroke.length - 1];
    if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < NEAR || this.points >= MAX_POINTS) return;
    this.stroke.push(point);
    this.draw();
    this.changed(false);
  }
  begin(point) {
    this.stop();
    if (this.strokes.length >= MAX_STROKES || this.points >= MAX_POINTS) return;
    this.stroke = [];
    this.add(point);
  }
  lift() {
    if (!this.stroke) return;
    this.strokes.push(this.stroke);
    this.stroke = null;
    if (this.cursor) this.cursor.down = false;
    this.changed(true);
  }

  down(e) {
    if (this.pointer !== null || (e.pointerType === 'mouse' && e.button !== 0)) return;
    e.preventDefault();
    this.canvas.focus({preventScroll: true});
    this.lift();
    this.cursor = null;
    this.pointer = e.pointerId;
    try { this.canvas.setPointerCapture(e.pointerId); } catch { /* a pointer that is already gone */ }
    this.begin(this.place(e));
  }
  move(e) {
    if (e.pointerId !== this.pointer || !this.stroke) return;
    const events = e.getCoalescedEvents?.() ?? [];
    for (const part of events.length ? events : [e]) this.add(this.place(part));
  }
  up(e) {
    if (e.pointerId !== this.pointer) return;
    this.pointer = null;
    this.lift();
  }

  key(e) {
    const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
    if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'z') { e.preventDefault(); return this.undo(); }
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'Delete') { e.preventDefault(); return this.clear(); }
    if (e.key === 'Escape') return this.lift();
    if (!(e.key in arrows) && e.key !== ' ') return;
    e.preventDefault();
    this.cursor ??= {x: FRAME / 2, y: FRAME / 2, down: false};
    const c = this.cursor;
    if (e.key === ' ') {
      if (c.down) this.lift();
      else if (!e.repeat) { c.down = true; this.begin([c.x, c.y]); }
    } else {
      const step = e.shiftKey ? 16 : 4, [dx, dy] = arrows[e.key], clamp = v => Math.min(FRAME, Math.max(0, v));
      c.x = clamp(c.x + dx * step);
      c.y = clamp(c.y + dy * step);
      if (c.down && this.stroke) this.add([c.x, c.y]);
    }
    this.draw();
  }

  undo() { this.stop(); this.lift(); this.strokes.pop(); this.draw(); this.changed(true); }
  clear() { this.stop(); this.stroke = null; this.strokes = []; this.draw(); this.changed(true); }
  set(strokes) { this.clear(); this.strokes = strokes; this.draw(); this.changed(true); }

  // Draws the strokes anew as a hand would, in about two seconds; what is on the page follows.
  replay(strokes = this.all) {
    this.stop();
    this.lift();
    const total = strokes.reduce((n, s) => n + s.length, 0);
    if (!total) return Promise.resolve();
    const mine = ++this.playing, seconds = Math.min(3, Math.max(1.2, total / 120)), began = performance.now();
    this.full = strokes;
    this.strokes = [];
    return new Promise(resolve => {
      const frame = now => {
        if (mine !== this.playing) return resolve();
        const shown = Math.max(1, Math.ceil(Math.max(0, now - began) / 1000 / seconds * total));
        let left = shown;
        const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
        this.strokes = [];
        for (const s of strokes) {
          if (left <= 0 || still && left < s.length) break;
          this.strokes.push(s.slice(0, left));
          left -= s.length;
        }
        this.draw();
        if (shown >= total) {
          this.full = null;
          this.strokes = strokes;
          this.draw();
          this.changed(true);
          return resolve();
        }
        this.changed(false);
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
    });
  }
  stop() {  // a replay ends with the whole drawing
    if (!this.full) return;
    ++this.playing;
    this.strokes = this.full;
    this.full = null;
  }

  draw() {
    const side = Math.round(this.canvas.clientWidth * (window.devicePixelRatio || 1));
    if (!side) return;
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    const css = getComputedStyle(this.canvas), c = this.context;
    c.clearRect(0, 0, side, side);
    if (this.full) paint(c, this.full, side, 2.5, css.getPropertyValue('--track'));
    paint(c, this.all, side, 3, css.getPropertyValue('--pen'));
    if (this.cursor) {
      const k = side / FRAME, {x, y, down} = this.cursor;
      c.beginPath();
      c.arc(x * k, y * k, 5 * k, 0, 7);
      c.lineWidth = 1.5 * k;
      c.strokeStyle = c.fillStyle = css.getPropertyValue('--accent');
      down ? c.fill() : c.stroke();
    }
  }
}
