/** Small words for building and changing what is shown, without losing the focus. */

const svgSpace = "http://www.w3.org/2000/svg";

export function byId(id) {
  return document.getElementById(id);
}

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(svgSpace, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function button(text, onPress, attributes = {}) {
  const node = element("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", onPress);
  return node;
}

/** Only where it differs: what a person selects or a screen reader reads stays alone. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** One child for each item, in their order; the same key keeps its node, and with it the focus. */
export function list(container, items, keyOf, make) {
  const known = new Map([...container.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, at) => {
    const key = String(keyOf(item));
    let node = known.get(key);
    known.delete(key);
    if (node === undefined) {
      node = make(item);
      node.dataset.key = key;
    }
    if (container.children[at] !== node) container.insertBefore(node, container.children[at] ?? null);
    node.update?.(item);
  });
  for (const node of known.values()) node.remove();
}
