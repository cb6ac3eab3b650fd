'use strict';
// Comfort only: everything can be read without it. No "less than" and no ampersand, so that the page stays well-formed XML.
{
  const make = (name, properties, ...children) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  };

  // One policy at a time, chosen from a list.
  const section = document.querySelector('.policies');
  const policies = [...section.querySelectorAll('details.policy')];
  if (policies.length > 1) {
    const select = make('select', {}, ...policies.map((policy, i) => make('option', { value: i, textContent: policy.querySelector('h3').textContent })));
    const show = () => policies.forEach((policy, i) => {
      policy.open = i === select.selectedIndex;
      policy.hidden = i !== select.selectedIndex;
    });
    select.addEventListener('change', show);
    policies[0].before(make('p', { className: 'controls' }, make('label', {}, 'Policy', select)));
    section.classList.add('chosen');
    show();
  }

  // Tables sort by their headings: numbers the largest first, names from A.
  const number = cell => Number.parseFloat(cell.textContent.replaceAll(',', ''));
  for (const table of document.querySelectorAll('table.sortable')) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = make('button', { type: 'button' }, ...heading.childNodes);
      heading.append(button);
      button.addEventListener('click', () => {
        const rows = [...body.rows];
        const isText = rows.every(row => Number.isNaN(number(row.cells[column]))) || column === 0;
        const wasFirst = heading.getAttribute('aria-sort') === (isText ? 'ascending' : 'descending');
        const sign = isText === wasFirst ? -1 : 1;
        headings.forEach(other => other.removeAttribute('aria-sort'));
        heading.setAttribute('aria-sort', sign === 1 ? 'ascending' : 'descending');
        const order = (a, b) => {
          if (isText) {
            return sign * a.cells[column].textContent.localeCompare(b.cells[column].textContent, 'en', { numeric: true });
          }
          const [x, y] = [number(a.cells[column]), number(b.cells[column])];
          if (Number.isNaN(x) || Number.isNaN(y)) {
            return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
          }
          return sign * (x - y);
        };
        body.append(...rows.sort(order));
      });
    });
  }

  // Tables of functions filter by name.
  for (const table of document.querySelectorAll('table.filterable')) {
    const rows = [...table.tBodies[0].rows];
    const input = make('input', { type: 'search', autocomplete: 'off' });
    input.addEventListener('input', () => {
      const wanted = input.value.toLowerCase();
      rows.forEach(row => { row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted); });
    });
    if (rows.length > 1) {
      table.parentElement.previousElementSibling.before(make('p', { className: 'controls' }, make('label', {}, 'Find a function', input)));
    }
  }
}
