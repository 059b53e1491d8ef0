/** @file Money as it comes: strings of decimals, shown and compared without ever being floats. */

export const MINUS = "\u2212";
export const NOTHING = "\u2013";

/** Group the digits of a decimal string the Indian way: "1000000.00" is "10,00,000.00". */
export function grouped(text) {
  if (text === null || text === undefined) return NOTHING;
  const [, sign, whole, fraction] = /^(-?)(\d+)(\.\d+)?$/.exec(String(text)) ?? [];
  if (whole === undefined) return String(text);
  const head = whole.slice(0, -3).replace(/\B(?=(\d\d)+$)/g, ",");
  const digits = head ? `${head},${whole.slice(-3)}` : whole;
  return `${sign ? MINUS : ""}${digits}${fraction ?? ""}`;
}

/** Group, with a sign in front of a gain too. */
export function signed(text) {
  return signOf(text) > 0 ? `+${grouped(text)}` : grouped(text);
}

/** Tell -1, 0 or 1 from the text alone. */
export function signOf(text) {
  if (text === null || text === undefined || !/[1-9]/.test(text)) return 0;
  return String(text).startsWith("-") ? -1 : 1;
}

/** Return the hundredths as a BigInt, for exact sums and comparisons. */
export function hundredths(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const value = BigInt(whole + (fraction + "00").slice(0, 2));
  return sign ? -value : value;
}

/** Return the text of a number of hundredths. */
export function fromHundredths(value) {
  const digits = String(value < 0n ? -value : value).padStart(3, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** Subtract two amounts exactly. */
export function difference(left, right) {
  return fromHundredths(hundredths(left) - hundredths(right));
}

/** Return a class that colours a gain or a loss. */
export function toneOf(text) {
  return ["loss", "even", "gain"][signOf(text) + 1];
}
