/** A reader of the small XML that service files are made of: elements, attributes, text. Anything else is an error. */
export type Element = {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  readonly text: string;
};

const TOKEN = /<\?[^>]*\?>|<!DOCTYPE[^>]*>|<\/([\w:]+)>|<([\w:]+)((?:\s+[\w:]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const ENTITY: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

type Open = { name: string; attributes: Record<string, string>; children: Element[]; text: string };

export function parseXml(source: string): Element {
  const root: Open = { name: '', attributes: {}, children: [], text: '' };
  const stack: Open[] = [root];
  let at = 0;
  for (const match of source.matchAll(TOKEN)) {
    at = match.index + match[0].length;
    const [, closes, opens, attributes = '', empty, text] = match;
    const top = stack.at(-1)!;
    if (text !== undefined) top.text += unescapeText(text);
    else if (opens !== undefined) {
      const element: Open = { name: opens, attributes: parseAttributes(attributes), children: [], text: '' };
      top.children.push(element);
      if (empty === '') stack.push(element);
    } else if (closes !== undefined) {
      if (top.name !== closes) throw new Error(`</${closes}> closes <${top.name}>`);
      stack.pop();
    }
  }
  if (at !== source.length) throw new Error(`no XML at ${at}: ${source.slice(at, at + 30)}`);
  if (stack.length !== 1 || root.children.length !== 1) throw new Error('not exactly one whole element');
  return root.children[0]!;
}

function parseAttributes(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w:]+)="([^"]*)"/g)].map(([, name, value]) => [name, unescapeText(value!)]),
  );
}

function unescapeText(text: string): string {
  return text.replace(/&(\w*);?/g, (whole, name: string) => {
    const character = ENTITY[name];
    if (character === undefined || !whole.endsWith(';')) throw new Error(`unknown entity ${whole}`);
    return character;
  });
}
