// Buy one share with Zerodha's own client, guard it by a stop, and sell it when its price has risen or time is up:
// TRADEPOST_TOKEN=... node examples/kite_bot.mjs NSE RELIANCE      (after `npm install kiteconnect` here or above)
import { EventEmitter, on, once } from "node:events";

const base = process.env.TRADEPOST_URL ?? "http://127.0.0.1:8000";
const token = process.env.TRADEPOST_TOKEN;
const STOP = 0.995, TARGET = 1.002; // times the price of the purchase
const PATIENCE_MS = 20_000;
const TICK = 0.05;
const FINAL = ["COMPLETE", "CANCELLED", "REJECTED"];

const end = (message) => { console.error(message); process.exit(1); };

async function place(transaction_type, order_type, prices = {}) {
  const terms = { exchange, tradingsymbol: symbol, quantity: 1, product: "MIS" };
  return (await kite.placeOrder("regular", { ...terms, transaction_type, order_type, ...prices })).order_id;
}

async function final(orderId) { // an update may come before the answer to the placement
  while (!finals.has(orderId)) await once(news, "order");
  return finals.get(orderId);
}

const report = (order) => console.log(order.transaction_type, order.status, order.average_price);

async function fill(side) {
  const order = await final(await place(side, "MARKET"));
  report(order);
  return order.average_price || end(order.status_message ?? "it was not filled");
}

async function priceFrom(target) {
  for await (const [price] of on(news, "price")) if (price >= target) return;
}

async function trade() {
  const price = await fill("BUY");
  const trigger_price = Number((Math.round((price * STOP) / TICK) * TICK).toFixed(2));
  const stopId = await place("SELL", "SL-M", { trigger_price });
  const timeUp = new Promise((resume) => setTimeout(resume, PATIENCE_MS));
  let stop = await Promise.race([final(stopId), priceFrom(price * TARGET), timeUp]);
  stop ??= await kite.cancelOrder("regular", stopId).then(() => null, () => final(stopId)); // the stop may be faster
  if (stop) report(stop);
  else await fill("SELL");
  const ours = (await kite.getPositions()).day.filter((position) => position.tradingsymbol === symbol);
  console.log("profit today", Number(ours.reduce((sum, position) => sum + position.pnl, 0).toFixed(2)));
}

const [exchange, symbol] = process.argv.slice(2);
if (process.argv.length !== 4) end("usage: TRADEPOST_TOKEN=... node examples/kite_bot.mjs EXCHANGE SYMBOL");
if (!token) end("no token: set TRADEPOST_TOKEN");
const missing = () => end("the package kiteconnect is missing: npm install kiteconnect");
const { KiteConnect, KiteTicker } = (await import("kiteconnect").catch(missing)).default;
const kite = new KiteConnect({ api_key: "any", access_token: token, root: base });
const ticker = new KiteTicker({ api_key: "any", access_token: token, root: base.replace("http", "ws") + "/kite/ticker" });
const news = new EventEmitter();
const finals = new Map();
try {
  const [stock] = Object.values(await kite.getLTP([`${exchange}:${symbol}`]));
  if (!stock) end(`no price of ${exchange}:${symbol} is known`);
  ticker.on("connect", () => { ticker.subscribe([stock.instrument_token]); news.emit("connect"); });
  ticker.on("ticks", (ticks) => ticks.forEach((tick) => news.emit("price", tick.last_price)));
  ticker.on("order_update", (order) => {
    if (FINAL.includes(order.status)) finals.set(order.order_id, order);
    news.emit("order");
  });
  ticker.connect();
  await once(news, "connect"); // from here on no update is missed
  await trade();
  process.exit();
} catch (error) { // the client rejects with the body of the answer
  const isAnswer = error.error_type && !error.message.startsWith("No response");
  end(`${isAnswer ? error.error_type : `no answer from ${base}`}: ${error.message}`);
}
