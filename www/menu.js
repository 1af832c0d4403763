/**
 * A small menu beside whatever was pressed: emojis in a row, then lines. One at a time; Escape or
 * a press elsewhere closes it, arrows move in it.
 */
import { byId, clone } from './view.js';

const MARGIN_PX = 8;

/**
 * @param {Element} anchor  beside which it stands
 * @param {Array} lines  {label, act, bad?}; those that are falsy are left out
 * @param {object} [emojis]  {keys, act(key)}
 */
export function openMenu(anchor, lines, emojis = { keys: [] }) {
    const menu = byId('menu');
    const close = () => menu.hidePopover();
    menu.querySelector('.emojis').replaceChildren(...emojis.keys.map(
        key => makeItem(key, () => emojis.act(key), close)));
    menu.querySelector('.lines').replaceChildren(...lines.filter(Boolean).map(line => {
        const item = makeItem(line.label, line.act, close);
        item.classList.toggle('bad', Boolean(line.bad));
        return item;
    }));
    (anchor.closest('dialog') ?? document.body).append(menu); // else a dialog stands above it
    menu.showPopover();
    place(menu, anchor.getBoundingClientRect());
    menu.onkeydown = key => move(menu, key);
    menu.querySelector('button')?.focus();
}

function makeItem(label, act, close) {
    const item = clone('t-menu-item');
    item.textContent = label;
    item.onclick = () => {
        close();
        act();
    };
    return item;
}

function place(menu, { left, right, top, bottom }) {
    const { offsetWidth: width, offsetHeight: height } = menu;
    const x = left + width + MARGIN_PX > innerWidth ? right - width : left;
    const y = bottom + height + MARGIN_PX > innerHeight ? top - height : bottom;
    menu.style.left = `${Math.max(MARGIN_PX, x)}px`;
    menu.style.top = `${Math.max(MARGIN_PX, y)}px`;
}

function move(menu, key) {
    const items = [...menu.querySelectorAll('button')];
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowRight: at + 1, ArrowUp: at - 1, ArrowLeft: at - 1,
        Home: 0, End: items.length - 1 }[key.key];
    if (next !== undefined) {
        key.preventDefault();
        items.at(next % items.length).focus();
    }
}
