import { violated } from "../checks.ts";

/** What annotations need of XML, and no more: elements, attributes, text. A DOCTYPE, CDATA and instructions are refused. */
export interface XmlElement {
  readonly name: string;
  readonly children: readonly XmlElement[];
  /** Of the element itself, entities resolved, without the white space around it. */
  readonly text: string;
}

interface OpenElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const depthMax = 16;
const tokens =
  /<!--(?:(?!--)[^])*-->|<\/([A-Za-z_][\w.-]*)\s*>|<([A-Za-z_][\w.-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+/y;
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** The root of a well-formed document. */
export function parseXml(document: string): XmlElement {
  const text = document.replace(/^\ufeff?<\?xml\s[^?<>]*\?>/, "");
  const root: OpenElement = { name: "", children: [], text: "" };
  const open: OpenElement[] = [root];
  for (let at = 0; at < text.length;) {
    tokens.lastIndex = at;
    const token = tokens.exec(text);
    if (token === null) return violated(`the annotation is not well-formed XML: "${text.slice(at, at + 20)}"`);
    at = tokens.lastIndex;
    const [whole, closing, opening, , selfClosing] = token;
    if (closing !== undefined) close(open, closing);
    else if (opening !== undefined) {
      open.push({ name: opening, children: [], text: "" });
      if (open.length > depthMax) violated("the annotation is nested too deeply");
      if (selfClosing === "/") close(open, opening);
    } else if (!whole.startsWith("<!--")) {
      const inner = open.at(-1) ?? root;
      inner.text += resolved(whole);
    }
  }
  if (open.length > 1) violated(`the annotation does not close <${open.at(-1)?.name ?? ""}>`);
  const [document_, ...others] = root.children;
  if (document_ === undefined || others.length > 0 || root.text.trim() !== "") {
    return violated("the annotation is not one element of XML");
  }
  return document_;
}

export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

/** Exactly one of that name. */
export function childOf(element: XmlElement, name: string): XmlElement {
  const [child, ...others] = childrenOf(element, name);
  if (child === undefined || others.length > 0) return violated(`<${element.name}> needs one <${name}>`);
  return child;
}

function close(open: OpenElement[], name: string): void {
  const element = open.pop();
  const parent = open.at(-1);
  if (element === undefined || parent === undefined || element.name !== name) {
    violated(`the annotation closes <${name}>, which is not open`);
  }
  parent.children.push({ name, children: element.children, text: element.text.trim() });
}

function resolved(text: string): string {
  return text.replaceAll(/&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|(\w{1,8}))?;?/g, (whole, decimal, hex, name) => {
    if (typeof decimal === "string" && whole.endsWith(";")) return String.fromCodePoint(Number(decimal));
    if (typeof hex === "string" && whole.endsWith(";")) return String.fromCodePoint(Number.parseInt(hex, 16));
    const character = typeof name === "string" && whole.endsWith(";") ? entities[name] : undefined;
    return character ?? violated("the annotation has an ampersand that begins no entity");
  });
}
