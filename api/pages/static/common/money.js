/** @file Money as decimal strings, shown and compared without conversion to floats. */

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

/** Group the digits, and put a plus before a gain. */
export function signed(text) {
  return signOf(text) > 0 ? `+${grouped(text)}` : grouped(text);
}

/** Return the sign of a decimal string: -1, 0 or 1. */
export function signOf(text) {
  if (text === null || text === undefined || !/[1-9]/.test(text)) return 0;
  return String(text).startsWith("-") ? -1 : 1;
}

/** Return a decimal string as a BigInt of hundredths, for exact sums and comparisons. */
export function hundredths(text) {
  const [, sign, whole, fraction = ""] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  const value = BigInt(whole + (fraction + "00").slice(0, 2));
  return sign ? -value : value;
}

/** Return a BigInt of hundredths as a decimal string. */
export function fromHundredths(value) {
  const digits = String(value < 0n ? -value : value).padStart(3, "0");
  return `${value < 0n ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** Subtract two amounts exactly. */
export function difference(left, right) {
  return fromHundredths(hundredths(left) - hundredths(right));
}

/** Return the CSS class of a gain, a loss or neither. */
export function toneOf(text) {
  return ["loss", "even", "gain"][signOf(text) + 1];
}
