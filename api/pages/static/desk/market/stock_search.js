/** @file Search for stocks by any part of their symbol or name. */

import { get } from "../../common/http.js";

const SHOWN = 7;
const STOCKS = "/api/market/stocks";

/** Return the stocks that fit a text best, of one exchange or of all; none if the server does not answer. */
export async function findStocks(text, exchange = null) {
  const page = await get(STOCKS, { search: text, exchange, limit: SHOWN }).catch(() => ({ data: [] }));
  return page.data;
}

/** Return a stock with its quote, null if the server does not know it, or undefined if there is no answer. */
export async function readStock({ exchange, symbol }) {
  const page = await get(STOCKS, { prefix: symbol, exchange, limit: 1 }).catch(() => undefined);
  if (page === undefined) return undefined;
  const stock = page.data[0];
  return stock?.symbol === symbol ? stock : null;
}

/** Return some stocks with their quotes, in their order; none if the server does not answer. */
export async function readStocks(stocks) {
  const symbols = stocks.map(({ exchange, symbol }) => `${exchange}:${symbol}`).join(",");
  const page = await get(STOCKS, { symbols }).catch(() => ({ data: [] }));
  return page.data;
}

/** Return true if nobody has quoted or imported a stock: it is unknown, or only an order has named it. */
export function isUnheardOf(stock) {
  if (stock === null) return true;
  return stock.lastPrice === null && stock.quoteNumber === 0 && !stock.name && stock.tickSize === null && stock.lotSize === null;
}
