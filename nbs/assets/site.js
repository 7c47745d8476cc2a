// A copy button at each piece of code; and wide formulas, which scroll by themselves, are reached
// by keyboard (the theme sees to code and tables).
'use strict';

function addCopyButtons() {
  const code = ['.cell_input .highlight', 'details .highlight', '.api .highlight'];
  const blocks = code.map((part) => '.bd-article ' + part).join(', ');
  for (const block of document.querySelectorAll(blocks)) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'Copy';
    button.setAttribute('aria-label', 'Copy this code');
    button.onclick = async () => {
      await navigator.clipboard.writeText(block.querySelector('pre').textContent);
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    };
    block.append(button);
  }
}

function letKeyboardScroll() {
  for (const formula of document.querySelectorAll('mjx-container[display="true"]')) {
    if (formula.scrollWidth > formula.clientWidth) formula.tabIndex = 0;
    else formula.removeAttribute('tabindex');
  }
}

window.addEventListener('load', () => {
  addCopyButtons();
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(letKeyboardScroll);
  window.addEventListener('resize', letKeyboardScroll);
  document.addEventListener('toggle', letKeyboardScroll, true);
});
