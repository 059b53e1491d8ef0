// A session of a bot with an official client for Node.js: the same as that of session.py, with the same names.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const line = async () => (await lines.next()).value;
const given = JSON.parse(await line());
const { KiteConnect, KiteTicker } = createRequire(given.client + "/")("kiteconnect");

const PATIENCE_MS = 20_000;
const DAY_MS = 86_400_000;
const seen = {};
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));
const tell = (values) => process.stdout.write(JSON.stringify(values) + "\n");

async function see(name, call) { // keep what a call resolves to, or its refusal
  try {
    return (seen[name] = await call());
  } catch (error) {
    seen[name] = { error: error?.error_type ?? "none", code: null, message: error?.message ?? String(error) };
    return null;
  }
}

function connect(token) {
  return new KiteConnect({ api_key: "any", access_token: token, root: given.url });
}

const kite = connect(given.token);

async function place(name, tradingsymbol, transaction_type, quantity, order_type, rest = {}) {
  const order = { exchange: "NSE", tradingsymbol, transaction_type, quantity, order_type, product: "CNC", ...rest };
  const answer = await see(name, () => kite.placeOrder("regular", order));
  if (answer) seen[name] = answer.order_id; // as the client in Python returns it
  return answer?.order_id;
}

const history = (name, orderId) => see(name, () => kite.getOrderHistory(orderId));

async function change(name, call) {
  const answer = await see(name, call);
  if (answer) seen[name] = answer.order_id;
}

async function awaitStatus(name, orderId, status) {
  const deadline = Date.now() + PATIENCE_MS;
  while ((await history(name, orderId)) && Date.now() < deadline) {
    if (seen[name].at(-1).status === status) return;
    await pause(50);
  }
}

async function readTheAccount() {
  await see("profile", () => kite.getProfile());
  await see("margins", () => kite.getMargins());
  await see("margins_equity", () => kite.getMargins("equity"));
}

async function signInAndOut() {
  const other = new KiteConnect({ api_key: "any", root: given.url });
  await see("session", () => other.generateSession(given.token, "a secret"));
  await see("session_profile", () => other.getProfile());
  await see("signed_out", () => other.invalidateAccessToken());
  await see("nobody", () => connect("nobody").getProfile());
}

async function readTheMarket() {
  for (const [name, exchange] of [["instruments"], ["instruments_nse", "NSE"], ["instruments_bse", "BSE"]]) {
    const rows = (await see(name, () => kite.getInstruments(exchange))) ?? [];
    const known = rows.filter((row) => row.tradingsymbol); // its parser makes a row of the last line's end
    seen[name] = { count: known.length, infy: known.find((row) => row.tradingsymbol === "INFY") ?? null };
  }
  const both = ["NSE:INFY", String(given.tokens.INFY)];
  await see("ltp", () => kite.getLTP(both));
  await see("ohlc", () => kite.getOHLC(both));
  await see("quote", () => kite.getQuote(both));
  await see("ltp_1000", async () => Object.keys(await kite.getLTP(given.many)).length);
  await see("quote_500", async () => Object.keys(await kite.getQuote(given.many.slice(0, 500))).length);
  await see("quote_501", () => kite.getQuote(given.many.slice(0, 501)));
  await see("ltp_unknown", () => kite.getLTP(["NSE:NOBODY"]));
  if (kite.getTriggerRange) await see("trigger_range", () => kite.getTriggerRange("BUY", ["NSE:INFY"]));
}

async function readCandles() {
  const ago = (days) => { // as text, because the older client writes a Date in UTC
    const moment = new Date(Date.now() - days * DAY_MS);
    return moment.toLocaleString("sv", { timeZone: "Asia/Kolkata" }); // 2026-11-27 09:15:00
  };
  const read = (interval, from) => kite.getHistoricalData(given.tokens.INFY, interval, from, ago(0));
  const deadline = Date.now() + PATIENCE_MS; // the running minute is there within seconds
  while (!(await see("minutes", () => read("minute", ago(3))))?.length && Date.now() < deadline) await pause(200);
  await see("days", () => read("day", ago(3)));
  await see("minutes_too_long", () => read("minute", ago(70)));
}

async function restChangeAndCancel() {
  const limit = { price: 1400.0, validity: "DAY", tag: "first" };
  const orderId = await place("limit", "INFY", "BUY", 2, "LIMIT", limit);
  await history("limit_placed", orderId);
  await see("orders_with_limit", () => kite.getOrders());
  await change("modified", () => kite.modifyOrder("regular", orderId, { price: 1401.0 }));
  await history("limit_modified", orderId);
  await change("cancelled", () => kite.cancelOrder("regular", orderId));
  await history("limit_cancelled", orderId);
  await change("cancelled_again", () => kite.cancelOrder("regular", orderId));
  await change("modified_again", () => kite.modifyOrder("regular", orderId, { price: 1402.0 }));
  await awaitStatus("ioc_history", await place("ioc", "INFY", "BUY", 1, "LIMIT", { price: 1400.0, validity: "IOC" }), "CANCELLED");
}

async function fillConvertAndGuard() {
  const orderId = await place("market", "RELIANCE", "BUY", 4, "MARKET", { product: "MIS" });
  await awaitStatus("market_history", orderId, "COMPLETE");
  await see("order_trades", () => kite.getOrderTrades(orderId));
  await see("trades", () => kite.getTrades());
  const change = { exchange: "NSE", tradingsymbol: "RELIANCE", transaction_type: "BUY", position_type: "day", quantity: 1 };
  await see("converted", () => kite.convertPosition({ ...change, old_product: "MIS", new_product: "CNC" }));
  const stop = { product: "MIS", price: 2470.0, trigger_price: 2480.0 };
  await history("sl_history", await place("sl", "RELIANCE", "SELL", 1, "SL", stop));
  await history("slm_history", await place("slm", "RELIANCE", "SELL", 2, "SL-M", { product: "MIS", trigger_price: 2400.0 }));
  await awaitStatus("sold_history", await place("sold", "TCS", "SELL", 2, "MARKET"), "COMPLETE");
  await see("positions", () => kite.getPositions());
  await see("holdings", () => kite.getHoldings());
}

async function beRefused() {
  await place("no_funds", "INFY", "BUY", 100_000, "MARKET");
  await place("no_symbol", "NOBODY", "BUY", 1, "MARKET");
  await place("no_tick", "INFY", "BUY", 1, "LIMIT", { price: 1400.03 });
  await place("wrong_trigger", "RELIANCE", "SELL", 1, "SL-M", { product: "MIS", trigger_price: 2600.0 });
  await place("no_shares", "INFY", "SELL", 1_000, "LIMIT", { price: 1600.0 });
  await history("no_order", "111111111111111");
  await see("no_variety", () => kite.cancelOrder("co", "111111111111111"));
}

async function calculate() {
  const key = { exchange: "NSE", tradingsymbol: "INFY", transaction_type: "BUY", variety: "regular" };
  const order = { ...key, product: "MIS", order_type: "MARKET", quantity: 10, price: 0, trigger_price: 0 };
  await see("order_margins", () => kite.orderMargins([order]));
  await see("basket", () => kite.orderBasketMargins([order, { ...order, transaction_type: "SELL" }]));
  if (kite.getvirtualContractNote) {
    await see("contract_note", () => kite.getvirtualContractNote([{ ...order, order_id: "1", average_price: 1500.0 }]));
  }
}

async function askForWhatIsNotOffered() {
  await see("gtts", () => kite.getGTTs());
  const order = { transaction_type: "BUY", quantity: 1, order_type: "LIMIT", product: "CNC", price: 1400.0 };
  const trigger = { trigger_type: "single", tradingsymbol: "INFY", exchange: "NSE", trigger_values: [1400.0] };
  await see("gtt", () => kite.placeGTT({ ...trigger, last_price: 1500.0, orders: [order] }));
  await see("mf_orders", () => kite.getMFOrders());
  await see("mf_sips", () => kite.getMFSIPS());
  await see("mf_holdings", () => kite.getMFHoldings());
  await see("mf_instruments", async () => (await kite.getMFInstruments()).filter((row) => row.tradingsymbol));
  await see("get_auction_instruments", () => kite.getAuctionInstruments());
}

function listen() { // the ticker of a bot, and a function that returns what it was told
  const told = { closes: [], errors: [], texts: [], updates: [], connects: 0, reconnects: 0, heartbeats: 0, silence_s: 0 };
  const last = new Map(), firstS = new Map(), counts = new Map();
  let beganAt = performance.now(), heardAt = beganAt;
  const ticker = new KiteTicker({ api_key: "any", access_token: given.token, root: given.ticker });
  ticker.on("connect", () => {
    told.connects += 1;
    beganAt = heardAt = performance.now();
    for (const [mode, tokens] of Object.entries(given.listen)) {
      const texts = tokens.map(String); // as the list of instruments of this client has them
      ticker.subscribe(texts);
      ticker.setMode(mode, texts);
    }
  });
  ticker.on("close", (event) => told.closes.push([event?.code ?? null, String(event?.reason)]));
  ticker.on("error", (error) => told.errors.push([0, String(error?.message ?? error)]));
  ticker.on("reconnect", () => { told.reconnects += 1; });
  ticker.on("message", (bytes) => { // binary ones only
    const now = performance.now();
    told.silence_s = Math.max(told.silence_s, (now - heardAt) / 1000);
    heardAt = now;
    if (bytes.byteLength === 1) told.heartbeats += 1;
  });
  ticker.on("ticks", (ticks) => {
    for (const tick of ticks) {
      const token = tick.instrument_token;
      last.set(token, tick);
      if (!firstS.has(token)) firstS.set(token, (performance.now() - beganAt) / 1000);
      counts.set(token, (counts.get(token) ?? 0) + 1);
    }
  });
  ticker.on("order_update", (order) => told.updates.push(order));
  ticker.connect();
  return () => {
    const firsts = Object.entries(given.listen).map(([mode, tokens]) => [mode, tokens[0]]);
    return {
      ...told,
      last: Object.fromEntries(firsts.map(([mode, token]) => [mode, last.get(token) ?? null])),
      counts: Object.fromEntries(firsts.map(([mode, token]) => [mode, counts.get(token) ?? 0])),
      stocks: last.size,
      slowest_first_s: firstS.size ? Math.max(...firstS.values()) : null,
    };
  };
}

await readTheAccount();
await signInAndOut();
await readTheMarket();
await restChangeAndCancel();
await fillConvertAndGuard();
await beRefused();
await calculate();
await askForWhatIsNotOffered();
await readCandles();
await see("orders", () => kite.getOrders());
tell(seen);
await line();
const summary = listen();
await line();
tell(summary());
process.exit();
