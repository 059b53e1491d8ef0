/** @file Numbers as people type and copy them. */

const GROUPED = /^\d{1,3}(,\d{2,3})*,\d{3}(\.\d*)?$/;

/** Return a typed number without the commas of its groups and the spaces around it: "10,04,013.05" is "1004013.05". */
export function plainNumber(text) {
  const bare = text.replace(/^[\s₹]+|\s+$/g, "");
  return GROUPED.test(bare) ? bare.replaceAll(",", "") : bare;
}
