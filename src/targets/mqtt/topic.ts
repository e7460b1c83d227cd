/** A topic with places to fill in. Whatever a name holds, the result has no wildcard and no further level. */

export interface TopicNames {
  readonly device: string;
  readonly camera: string;
  readonly target: string;
}

/** AWS IoT takes 256 bytes; with three names of 64 characters at most this template stays below it in practice. */
const templateCharsMax = 128;
const nameCharsMax = 64;
const placeholders: readonly string[] = ["device", "camera", "target"];

/** What is wrong with a template, as a phrase for an error text. */
export function topicProblem(template: string): string | undefined {
  if (template.length === 0 || template.length > templateCharsMax)
    return `expected 1 to ${templateCharsMax} characters`;
  const unknown = [...template.matchAll(/\{([^}]*)\}/g)].find(([, name = ""]) => !placeholders.includes(name));
  if (unknown !== undefined) return `${unknown[0]} is unknown; there are {device}, {camera} and {target}`;
  const rest = template.replaceAll(/\{[a-z]+\}/g, "x");
  if (/[{}]/.test(rest)) return "a brace is not closed or not opened";
  if (/[+#]/.test(rest)) return "the wildcards + and # have no place in a topic to publish to";
  if (/[\s\p{Cc}]/u.test(rest)) return "spaces and control characters have no place in a topic";
  if (rest.split("/").includes("")) return "empty levels (a slash at an end, or two together) are refused";
  return undefined;
}

/** For a template without a problem. */
export function filledTopic(template: string, names: TopicNames): string {
  return template.replaceAll(/\{(device|camera|target)\}/g, (_, name: keyof TopicNames) => topicLevel(names[name]));
}

/** Characters that would make a wildcard, another level or an unreadable topic become `-`. */
function topicLevel(name: string): string {
  const level = name.replaceAll(/[+#/$\s\p{Cc}\p{Cs}]/gu, "-").slice(0, nameCharsMax);
  return level.length === 0 ? "-" : level;
}
