/**
 * A line for a screen. Paths may be as long as their disk allows, and one of many thousand characters scrolls everything else away;
 * what tells them apart stands at both ends. Pipes and `--json` get all of it.
 */
const LONGEST = 2000;
const KEPT = 900;

export function shortened(line: string): string {
  const characters = [...line];
  if (characters.length <= LONGEST) return line;
  const left = characters.length - 2 * KEPT;
  return `${characters.slice(0, KEPT).join('')} [... ${left} characters ...] ${characters.slice(-KEPT).join('')}`;
}
