/** What the model promised itself and found otherwise: a defect, or a clause that is missed. */
export class Broken extends Error {
  override readonly name = 'Broken';
}
