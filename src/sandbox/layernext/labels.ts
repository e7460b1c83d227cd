import { randomBytes } from "node:crypto";
import { violated } from "../checks.ts";
import type { ReferencesRequest } from "./contract.ts";
import type { SandboxShape } from "./data-call.ts";

interface Attribute {
  readonly ref: string;
  readonly values: Map<string, string>;
}

interface Label {
  readonly ref: string;
  readonly color: string;
  readonly attributes: Map<string, Attribute>;
}

/** References and colours, different at every start, so that nobody can make them up. */
export class Labels {
  readonly #labels = new Map<string, Label>();
  /** Only these exist; undefined where every label does. */
  readonly #known: Set<string> | undefined;

  constructor(known: readonly string[] | undefined) {
    this.#known = known === undefined ? undefined : new Set(known);
  }

  create(label: string): string {
    this.#known?.add(label);
    return this.#labelOf(label).ref;
  }

  /** Those of the wanted that exist; undefined where none does. */
  answer(wanted: ReferencesRequest): object | undefined {
    const found = [...wanted].filter(([label]) => this.#known?.has(label) ?? true);
    if (found.length === 0) return undefined;
    return Object.fromEntries(
      found.map(([name, attributes]) => {
        const label = this.#labelOf(name);
        const texts = [...attributes].map(([attribute, values]) => [attribute, answerOf(label, attribute, values)]);
        return [name, { ref: label.ref, color: label.color, texts: Object.fromEntries(texts) as object }];
      }),
    );
  }

  check({ labelText, ref, color, attributes }: SandboxShape): void {
    const label = this.#labels.get(labelText) ?? violated(`the label "${labelText}" was never asked for`);
    if (label.ref !== ref) violated(`the reference of "${labelText}" is not the one that was handed out`);
    if (label.color !== color) violated(`the colour of "${labelText}" is not the one that was handed out`);
    for (const [attributeRef, values] of attributes) {
      const attribute = [...label.attributes.values()].find((candidate) => candidate.ref === attributeRef);
      if (attribute === undefined) return violated(`"${labelText}" has an attribute that was never handed out`);
      const known = new Set(attribute.values.values());
      if (values.some((value) => !known.has(value))) violated(`"${labelText}" has a value that was never handed out`);
    }
  }

  #labelOf(name: string): Label {
    const label = this.#labels.get(name) ?? {
      ref: reference(),
      color: `#${randomBytes(3).toString("hex")}`,
      attributes: new Map<string, Attribute>(),
    };
    this.#labels.set(name, label);
    return label;
  }
}

function answerOf({ attributes }: Label, name: string, values: readonly string[]): object {
  const attribute = attributes.get(name) ?? { ref: reference(), values: new Map<string, string>() };
  attributes.set(name, attribute);
  for (const value of values) if (!attribute.values.has(value)) attribute.values.set(value, reference());
  const texts = values.map((value) => [value, attribute.values.get(value)]);
  return { ref: attribute.ref, texts: Object.fromEntries(texts) as object };
}

function reference(): string {
  return `lb-${randomBytes(6).toString("hex")}`;
}
