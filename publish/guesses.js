// The stored cards of guesses, as forms: what the reader says stays in the page and in this browser.
// Numbers are read and written as in helpers/course/guess.py.

function readNumber(text, unit) {
  text = text.toLowerCase().replaceAll('−', '-')
    .replace(/\b10\s*(?:\^|\*\*)\s*([-+]?\d+)/g, '1e$1')
    .replace(/(?<=\d)\s*[*x×·]\s*1e/g, 'e')
    .replace(/\b0,(?=\d)/g, '0.')
    .replace(/(?<=\d)[,_'’\s](?=\d{3}(?!\d))/g, '')
    .replace(/(?<=\d),(?=\d)/g, '.');
  let numbers = (text.match(/[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/g) ?? []).map(Number);
  if (numbers.length === 2 && /\d\s*\/\s*\d/.test(text) && numbers[1]) {
    numbers = [numbers[0] / numbers[1]];
  }
  if (numbers.length !== 1) return null;
  let [number] = numbers;
  const scale = text.match(/\d\s*(k|thousand|million|billion)\b/);
  if (scale) number *= {k: 1e3, thousand: 1e3, million: 1e6, billion: 1e9}[scale[1]];
  if (/%|per ?cent/.test(text) && unit !== '%') number /= 100;
  return Number.isFinite(number) ? number : null;
}

function writeNumber(number, unit = '') {
  const size = Math.abs(number);
  let text;
  if (size < 1e15 && (Number.isInteger(number) || size >= 1000)) {
    text = Math.round(number).toLocaleString('en-US');
  } else {
    const rounded = Number(number.toPrecision(4));
    const plain = size >= 1e-4 && size < 1e4;
    // 1e-05: two digits in the exponent
    text = plain ? String(rounded) : rounded.toExponential().replace(/(?<=e[-+])\d$/, '0$&');
  }
  return unit ? text + ' ' + unit : text;
}

function times(ratio) {
  return 'about ' + writeNumber(Number(ratio.toPrecision(2))) + ' times';
}

function difference(said, truth) {
  if (writeNumber(said) === writeNumber(truth)) return 'just what you said';
  const ratio = said ? truth / said : 0;
  if (ratio >= 1.95) return times(ratio) + ' your guess';
  if (truth && ratio > 0 && ratio <= 1 / 1.95) {
    return 'your guess was ' + times(1 / ratio) + ' as large';
  }
  const distance = Math.abs(truth - said);
  const gap = writeNumber(Number(distance.toPrecision(2)));
  const nearly = distance <= 0.1 * Math.abs(truth) ? ', so you were close' : '';
  return gap + (truth > said ? ' more' : ' less') + ' than you said' + nearly;
}

// An element with some properties and children.
function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// --- what is kept in the browser, where that is allowed

function keyOf(question) {
  return 'course-guess ' + location.pathname + ' ' + question;
}

function keep(question, said) {
  try {
    localStorage.setItem(keyOf(question), said);
  } catch {
    // The guess stays in the page.
  }
}

function kept(question) {
  try {
    return localStorage.getItem(keyOf(question)) ?? '';
  } catch {
    return '';
  }
}

// --- the question

function startGuess(card) {
  card.dataset.ready = 'true';
  const {question, choices, unit} = JSON.parse(card.dataset.guess);
  const status = make('p');
  status.setAttribute('role', 'status');

  function answer(said) {
    if (choices.length) return choices.includes(said) ? said : '';
    const number = readNumber(said, unit);
    return number === null ? '' : writeNumber(number, unit);
  }

  function commit(said) {
    said = said.trim();
    if (answer(said)) {
      status.textContent = 'Your guess: ' + answer(said) + '. Now read on.';
      card.dataset.said = said;
      keep(question, said);
      document.dispatchEvent(new Event('course-guess'));
    } else if (said) {
      status.textContent =
        'No single number can be read in “' + said + '”. Try for instance 500 or 0.5.';
    } else {
      status.textContent = 'Type a number first, for instance 500 or 0.5.';
    }
  }

  function field(said) {
    const input = make('input', {type: 'text', value: said, autocomplete: 'off'});
    const label = make('label', {}, 'Your guess' + (unit ? ', in ' + unit : '') + ':', input);
    const form = make('form', {}, label, make('button', {}, 'That is my guess'));
    form.addEventListener('submit', event => {
      event.preventDefault();
      commit(input.value);
    });
    return form;
  }

  function buttons(said) {
    const group = make('div');
    group.setAttribute('role', 'group');
    group.setAttribute('aria-label', question);
    function mark(chosen) {
      for (const button of group.children) {
        const pressed = button.dataset.choice === chosen;
        button.setAttribute('aria-pressed', pressed);
        button.textContent = (pressed ? '✓ ' : '') + button.dataset.choice;
      }
    }
    for (const choice of choices) {
      const button = make('button', {type: 'button'});
      button.dataset.choice = choice;
      button.addEventListener('click', () => {
        mark(choice);
        commit(choice);
      });
      group.append(button);
    }
    mark(said);
    return group;
  }

  const said = answer(kept(question)) ? kept(question) : '';
  card.lastElementChild.replaceWith(choices.length ? buttons(said) : field(said), status);
  if (said) commit(said);
}

// --- the answer

// The card of a question, undefined where it is not on this page.
function cardOf(question) {
  const cards = [...document.querySelectorAll('[data-guess]')];
  return cards.find(card => JSON.parse(card.dataset.guess).question === question);
}

function startReveal(card) {
  card.dataset.ready = 'true';
  const {question, truth, shown} = JSON.parse(card.dataset.reveal);
  const asked = cardOf(question);
  if (!asked) return;
  const {choices, unit} = JSON.parse(asked.dataset.guess);
  const result = card.lastElementChild;
  const without = make('button', {type: 'button'}, 'Show without a guess');
  const first = make('div', {}, make('p', {}, 'Guess first, above.'), without);
  result.setAttribute('aria-live', 'polite');
  result.before(first);

  function box(label, value) {
    return make('div', {}, make('span', {}, label), ' ', make('strong', {}, value));
  }

  function compare(said) {
    if (choices.length && said === shown) return ['You said ' + said + ', and so it is.', said];
    const number = choices.length ? null : readNumber(said, unit);
    const answer = choices.length ? said : writeNumber(number, unit);
    let words = 'You said ' + answer + '; it is ' + shown;
    if (typeof truth === 'number') words += ': ' + difference(number, truth);
    return [words + '.', answer];
  }

  function show() {
    const {said} = asked.dataset;
    if (said) {
      const [words, answer] = compare(said);
      card.querySelector('.words').textContent = words;
      const boxes = [box('Your guess', answer), box('It is', shown)];
      card.querySelector('.pair').replaceChildren(...boxes);
    }
    first.hidden = true;
    result.hidden = false;
  }

  result.hidden = true;
  without.addEventListener('click', show);
  document.addEventListener('course-guess', () => {
    if (asked.dataset.said) show();
  });
  if (asked.dataset.said) show();
}

document.querySelectorAll('[data-guess]:not([data-ready])').forEach(startGuess);
document.querySelectorAll('[data-reveal]:not([data-ready])').forEach(startReveal);
