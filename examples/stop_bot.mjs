// Rest a limit under the market, then guard what it bought by a stop that follows the price, until the stop sells.
// TRADEPOST_TOKEN=... node stop_bot.mjs NSE RELIANCE    It needs only Node.js 18 or later.
import { randomBytes, randomUUID } from "node:crypto";
import http from "node:http";
import https from "node:https";

const base = process.env.TRADEPOST_URL ?? "http://127.0.0.1:8000";
const token = process.env.TRADEPOST_TOKEN;
const DISTANCE = 0.002; // of the limit below the market, and of the stop below the highest price
const TICK = 0.05;
const TOO_LATE = ["order_not_open", "trigger_on_wrong_side", "precondition_failed"]; // the market was faster: its event comes

let attemptsLeft = 4; // until the service has answered once

const pause = () => new Promise((resume) => setTimeout(resume, 1000));

const end = (message) => { console.error(message); process.exit(1); };

function noAnswer(error) { // an address that has never answered is probably wrong
  if (--attemptsLeft === 0) end(`no answer from ${base}: ${error.message || error.code}`);
}

async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  Object.assign(headers, { "Idempotency-Key": randomUUID(), "If-Match": "*" }); // any version of an order
  for (;; await pause()) { // an order without a response is sent again with the same key, so it is not placed twice
    try {
      const answer = await fetch(base + path, { method, headers, body: JSON.stringify(body) });
      if (answer.status < 500) return await answer.json();
    } catch { /* the service is away, or its answer broke off */ }
  }
}

// From Node.js 22 on the global WebSocket would do; 18 and 20 have none, and this is all that the stream needs.
async function* websocket(path, messages) {
  const headers = { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": 13, "Sec-WebSocket-Key": randomBytes(16).toString("base64") };
  const socket = await new Promise((resolve, reject) => {
    const request = (base.startsWith("https") ? https : http).get(base + path, { headers });
    request.on("error", reject).on("response", (answer) => reject(new Error(answer.statusMessage)));
    request.on("upgrade", (_, opened, head) => { if (head.length) opened.unshift(head); resolve(opened); });
  });
  const send = (opcode, data) => { // short frames, masked by zeros
    if (data.length < 126) socket.write(Buffer.from([128 | opcode, 128 | data.length, 0, 0, 0, 0, ...data]));
  };
  for (const message of messages) send(1, Buffer.from(JSON.stringify(message)));
  let bytes = Buffer.alloc(0);
  for await (const chunk of socket.setTimeout(60_000, () => socket.destroy())) { // the server pings every 25 s
    bytes = Buffer.concat([bytes, chunk]);
    for (;;) {
      const short = bytes[1] & 127;
      const head = short === 126 ? 4 : short === 127 ? 10 : 2;
      if (bytes.length < head) break;
      const size = short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
      if (bytes.length < head + size) break;
      const [opcode, data] = [bytes[0] & 15, bytes.subarray(head, head + size)];
      bytes = bytes.subarray(head + size);
      if (opcode === 1) yield JSON.parse(data);
      else if (opcode === 9) send(10, data);
      else if (opcode === 8) return data.length && data.readUInt16BE(0) === 4401 ? end("the token is unknown, expired or revoked") : null;
    }
  }
}

async function* listen(symbols) {
  for (let since = null; ; await pause()) { // each connection continues where the last one ended, and watches anew
    try {
      const greeting = [{ action: "auth", token, since }, { action: "watch", symbols }];
      for await (const message of websocket("/api/trading/stream", greeting)) {
        if (message.code === "service_unavailable") break; // nothing is watched: connect again
        if (message.type !== "ready" || since === null) since = message.id ?? message.lastEventId ?? since;
        attemptsLeft = Infinity;
        yield message;
      }
    } catch (error) { noAnswer(error); }
  }
}

const below = (price) => (Math.floor((price * (1 - DISTANCE)) / TICK + 1e-6) * TICK).toFixed(2);

function orderOf(answer) { // null if the market was faster than the request: an event tells of it
  if (answer.code && !TOO_LATE.includes(answer.code)) end(answer.detail);
  return answer.code ? null : answer.order ?? answer;
}

const place = async (terms) => orderOf(await call("POST", "/api/trading/orders", { exchange, symbol, quantity: 1, ...terms }));

async function follow(order, name, price) { // raise the price or the trigger of an order that waits
  if (order.status === "EXECUTED" || Number(below(price)) <= Number(order[name])) return order;
  return orderOf(await call("PATCH", `/api/trading/orders/${order.orderId}`, { [name]: below(price) })) ?? order;
}

async function guard(bought) { // sell at once if the market is below the stop already
  console.log("bought at", bought.averagePrice);
  const stop = await place({ side: "SELL", orderType: "STOP_MARKET", triggerPrice: below(bought.averagePrice) });
  return stop ?? orderOf(await call("POST", `/api/trading/positions/${bought.positionId}/close`));
}

const [exchange, symbol] = process.argv.slice(2);
if (process.argv.length !== 4) end("usage: TRADEPOST_TOKEN=... node examples/stop_bot.mjs EXCHANGE SYMBOL");
if (!token) end("no token: set TRADEPOST_TOKEN");
let [entry, stop] = [null, null];
for await (const { type, data = {}, unknown, detail } of listen([`${exchange}:${symbol}`])) {
  if (type === "problem") end(detail);
  if (unknown?.length) end(`unknown: ${unknown.join(", ")}`);
  const price = data.bidPrice ?? data.lastPrice;
  if (type === "reset") { // events are missing: read the orders instead
    [entry, stop] = await Promise.all([entry, stop].map((order) => order && call("GET", `/api/trading/orders/${order.orderId}`)));
  } else if (type === "quote" && price) {
    console.log("bid", price);
    if (!entry) entry = await place({ side: "BUY", orderType: "LIMIT", price: below(price) });
    else if (!stop) entry = await follow(entry, "price", price);
    else stop = await follow(stop, "triggerPrice", price);
  } else if (data.orderId && data.orderId === entry?.orderId) entry = data;
  else if (data.orderId && data.orderId === stop?.orderId) stop = data;
  for (const order of [entry, stop]) {
    if (["REJECTED", "CANCELLED", "EXPIRED"].includes(order?.status)) end(`the order to ${order.side} is ${order.status}`);
  }
  if (!stop && entry?.status === "EXECUTED") stop = await guard(entry);
  if (stop?.status === "EXECUTED") {
    console.log("sold at", stop.averagePrice);
    process.exit();
  }
}
