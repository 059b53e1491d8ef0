/** @file The key of a stock, "NSE:RELIANCE", by which the store keeps quotes and the stream watches them. */

const KEY = /^(NSE|BSE):([A-Z0-9&_.-]{1,32})$/;

/** Return the exchange and the symbol of a key, or null if it is no key. */
export function stockOf(key) {
  const [, exchange, symbol] = KEY.exec(key) ?? [];
  return exchange ? { exchange, symbol } : null;
}
