// Each player on the page: its controls choose among the stored pictures.

// The number of the position at which a control stands.
function positionOf(control) {
  if (control.matches('fieldset')) {
    const choices = [...control.querySelectorAll('input')];
    return choices.findIndex(choice => choice.checked);
  }
  if (control.matches('select')) return control.selectedIndex;
  return Number(control.value);
}

function startPlayer(box) {
  const data = box.querySelector('script[type="application/json"]');
  if (!data) return;
  box.dataset.ready = 'true';
  const {shows, pictures, frames, controls} = JSON.parse(data.textContent);
  const form = box.querySelector('form');
  const fields = [...form.querySelectorAll('[data-control]')];

  function show() {
    let combination = 0;
    const words = [];
    fields.forEach((field, n) => {
      const {label, labels} = controls[n];
      const position = positionOf(field);
      combination = combination * labels.length + position;
      words.push(label + ' ' + labels[position]);
      if (field.matches('[type=range]')) {
        field.setAttribute('aria-valuetext', labels[position]);
        field.parentElement.nextElementSibling.textContent = labels[position];
      }
    });
    const [number, caption] = frames[combination];
    const setting = words.join(', ');
    const image = box.querySelector('img');
    const source = 'data:image/webp;base64,' + pictures[number];
    if (image.getAttribute('src') !== source) image.setAttribute('src', source);
    image.alt = shows + ' Here: ' + setting + '.' + (caption ? ' ' + caption + '.' : '');
    box.querySelector('figcaption').textContent = caption || setting;
  }

  form.addEventListener('input', show);
  form.addEventListener('submit', event => event.preventDefault());
  form.reset();
  form.hidden = false;
  show();
}

document.querySelectorAll('.course-frames:not([data-ready])').forEach(startPlayer);
