// A valid value for a schema of the protocol, so that what is changed in it is all that is wrong with it.

import fc from 'fast-check';
import { z } from 'zod';
import type { Draw } from './draw.ts';

type JsonSchema = {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
};

export function sampleOf(schema: z.ZodType, draw: Draw): unknown {
  return made(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema, draw);
}

function made(schema: JsonSchema, draw: Draw): unknown {
  if (schema.const !== undefined) return schema.const;
  if (schema.enum !== undefined) return draw.pick(schema.enum);
  if (schema.anyOf !== undefined) return made(draw.pick(schema.anyOf), draw);
  switch (schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, made(inner, draw)]),
      );
    case 'array':
      return Array.from({ length: draw.below(3) }, () => made(schema.items ?? {}, draw));
    case 'integer':
    case 'number':
      return Math.min(schema.maximum ?? 1e6, Math.max(schema.minimum ?? 1, 1) + draw.below(1000));
    case 'boolean':
      return draw.below(2) === 1;
    case 'null':
      return null;
    default:
      return textOf(schema, draw);
  }
}

function textOf({ pattern, allOf, minLength = 1, maxLength = 40 }: JsonSchema, draw: Draw): string {
  const wanted = pattern ?? allOf?.find((each) => each.pattern !== undefined)?.pattern;
  if (wanted === undefined) return 'some text that fits'.slice(0, Math.max(minLength, Math.min(maxLength, 19)));
  const [text = ''] = fc.sample(fc.stringMatching(new RegExp(wanted)), { numRuns: 1, seed: draw.below(2 ** 31) });
  return text;
}
