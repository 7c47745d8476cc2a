// A copy button at each piece of code, and a place for the keyboard wherever something scrolls by itself.
'use strict';

function addCopyButtons() {
  for (const block of document.querySelectorAll('.bd-article .cell_input .highlight, .bd-article details .highlight, .bd-article .api .highlight')) {
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
  for (const box of document.querySelectorAll('.bd-article pre, .bd-article .pst-scrollable-table-container, .bd-article .text_html, .bd-article mjx-container[display="true"]')) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
  }
}

window.addEventListener('load', () => {
  addCopyButtons();
  const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
  ready.then(letKeyboardScroll);
  window.addEventListener('resize', letKeyboardScroll);
  document.addEventListener('toggle', letKeyboardScroll, true);
});
