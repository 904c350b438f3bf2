// Run inside the page by browser_test.cpp: uses it as a person would, by dispatched events, and reports what it saw.
const $ = id => document.getElementById(id);
const wait = ms => new Promise(r => setTimeout(r, ms));
async function until(what, condition) {
  for (let i = 0; i < 200; ++i) {
    if (condition()) return;
    await wait(50);
  }
  throw new Error('never: ' + what);
}
const check = (what, ok) => { if (!ok) throw new Error(what); };
const shown = () => [...$('photos').children].map(li => li.dataset.photo).join();

const pad = $('pad');
function pointer(type, x, y, pointerType = 'mouse') {
  const box = pad.getBoundingClientRect();
  pad.dispatchEvent(new PointerEvent(type, {bubbles: true, cancelable: true, pointerId: 7, pointerType, button: 0, buttons: type === 'pointerup' ? 0 : 1, clientX: box.left + x / 256 * box.width, clientY: box.top + y / 256 * box.height}));
}
async function stroke(points, pointerType) {
  points.forEach(([x, y], i) => pointer(i ? 'pointermove' : 'pointerdown', x, y, pointerType));
  pointer('pointerup', ...points[points.length - 1], pointerType);
  await wait(10);
}
const key = (k, more = {}) => pad.dispatchEvent(new KeyboardEvent('keydown', {key: k, bubbles: true, cancelable: true, ...more}));
const ink = () => {
  const c = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height).data;
  let n = 0;
  for (let i = 3; i < c.length; i += 4) n += c[i] > 128;
  return n;
};

const parts = {
  async draws() {
    await until('the pad is ready', () => $('undo').disabled && $('facts').textContent && pad.width > 50);
    await stroke([[60, 60], [80, 120], [120, 200]]);
    await until('photos appear', () => $('photos').children.length === 12);
    check('one stroke', $('count').textContent === '1 stroke');
    check('ink', ink() > 50);
    check('cost is shown', !$('cost').hidden && document.querySelectorAll('#bars .bar i').length >= 3);
    check('the canvas is marked', document.querySelectorAll('#canvases .is').length === 1);
    check('status is said', $('say').textContent.includes('Nearest of'));
    await until('pictures load', () => [...document.querySelectorAll('#photos img')].every(i => i.complete && i.naturalWidth > 0));
  },
  async ranksWhileDrawing() {
    const before = shown();
    pointer('pointerdown', 30, 30);
    for (let i = 0; i < 37; ++i) pointer('pointermove', 30 + 5 * i, 30 + (i % 3) * 9);
    await until('ranks change before the pen is lifted', () => shown() !== before && shown() !== '');
    pointer('pointerup', 215, 39);
    check('two strokes', $('count').textContent === '2 strokes');
  },
  async undoes() {
    const with2 = shown();
    $('undo').click();
    await until('undo', () => $('count').textContent === '1 stroke' && shown() !== with2);
    key('z', {ctrlKey: true});
    await until('empty', () => $('photos').children.length === 0 && $('cost').hidden);
    check('the invitation is back', !$('invite').hidden);
  },
  async drawsByKeyboard() {
    pad.focus();
    key(' ');
    for (let i = 0; i < 8; ++i) key('ArrowRight', {shiftKey: i % 2 === 0});
    key('ArrowDown');
    key(' ');
    await until('photos by keyboard', () => $('photos').children.length === 12);
    check('one stroke', $('count').textContent === '1 stroke');
    key('Delete');
    await until('cleared', () => $('photos').children.length === 0);
  },
  async drawsByTouch() {
    await stroke([[200, 60], [180, 120]], 'touch');
    await until('photos by touch', () => $('photos').children.length === 12);
    $('clear').click();
    await until('cleared', () => $('photos').children.length === 0);
  },
  async examplesReplay() {
    document.querySelector('#examples button').click();
    await until('an example is drawn', () => $('photos').children.length === 12 && !$('clear').disabled);
    await wait(3500);
    const strokes = $('count').textContent, at = ink();
    $('replay').click();
    await until('the replay ends', () => $('count').textContent === strokes);
    await wait(3500);
    check('the replay leaves the drawing as it was', ink() === at);
  },
  async compares() {
    $('compare').click();
    await until('the full-size network answers', () => !$('full-part').hidden && $('full-photos').children.length === 12 && !$('verdict').hidden);
    check('both are shown', document.querySelectorAll('#bars .answer').length === 2);
    check('pressed', $('compare').getAttribute('aria-pressed') === 'true');
    $('compare').click();
    await until('it goes', () => $('full-part').hidden);
  },
  async watchesRuns() {
    location.hash = '#runs';
    await until('a run opens', () => !$('run').hidden && $('run-state').textContent === 'stopped');
    await until('live figures', () => document.querySelectorAll('#live figure').length >= 3);
    await until('charts load', () => document.querySelectorAll('#charts img').length >= 2 && [...document.querySelectorAll('#charts img')].every(i => i.complete && i.naturalWidth > 0));
    check('the recipe', $('recipe').textContent.includes('seed'));
    await fetch('selftest/grow', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'});
    await until('a new step arrives by itself', () => document.querySelector('#live').textContent.includes('step 999'));
    location.hash = '#search';
    await until('back', () => !$('search').hidden);
    check('the drawing is still there', $('photos').children.length === 12);
  },
  async isAccessible() {
    for (const e of document.querySelectorAll('button, a, canvas[tabindex], [role=img]')) {
      if (e.closest('[hidden]')) continue;
      check('a name for ' + e.outerHTML.slice(0, 80), (e.getAttribute('aria-label') ?? e.textContent).trim());
    }
    for (const e of document.querySelectorAll('img')) check('alt of ' + e.src, e.hasAttribute('alt'));
    check('language', document.documentElement.lang === 'en');
    check('no sideways scrolling', document.documentElement.scrollWidth <= innerWidth);
  },
};

const result = {passed: [], failed: {}, errors: []};
addEventListener('error', e => result.errors.push(String(e.message)));
addEventListener('unhandledrejection', e => result.errors.push(String(e.reason)));
document.addEventListener('securitypolicyviolation', e => result.errors.push(`policy: ${e.violatedDirective} ${e.blockedURI}`));
for (const [name, run] of Object.entries(parts)) {
  try {
    await run();
    result.passed.push(name);
  } catch (e) {
    result.failed[name] = String(e.message);
  }
}
await fetch('selftest/result', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(result)});
