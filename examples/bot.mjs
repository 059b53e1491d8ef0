// Buy one share, listen until it is filled, close the position: TRADEPOST_TOKEN=... node bot.mjs NSE RELIANCE
// It needs only Node.js 18 or later.
import { randomUUID } from "node:crypto";

const base = process.env.TRADEPOST_URL ?? "http://127.0.0.1:8000";
const url = base + "/api/trading";
const identity = { Authorization: `Bearer ${process.env.TRADEPOST_TOKEN}`, "Content-Type": "application/json" };
let attemptsLeft = 4; // until the service has answered once

const pause = () => new Promise((resume) => setTimeout(resume, 1000));

const end = (message) => { console.error(message); process.exit(1); };

function noAnswer(error) { // an address that has never answered is probably wrong
  if (--attemptsLeft === 0) end(`no answer from ${base}: ${error.cause?.message || error.cause?.code || error.message}`);
  return null;
}

async function call(method, path, headers, body) {
  const all = { ...identity, ...headers, "Idempotency-Key": randomUUID() };
  for (;; await pause()) { // an order without a response is sent again with the same key, so it is not placed twice
    const answer = await fetch(url + path, { method, headers: all, body: JSON.stringify(body) }).catch(noAnswer);
    if (answer) attemptsLeft = Infinity;
    if (answer?.status < 500 && !answer.ok) end(await answer.json().then((it) => `${it.code}: ${it.detail}`, () => answer.statusText));
    const whole = answer?.ok && (headers.Accept ? answer : await answer.json().catch(() => null));
    if (whole) return whole;
  }
}

async function* listen(last = "") {
  for (let text = ""; ; text = "") { // each connection continues where the last one ended
    try {
      const { body } = await call("GET", "/events", { Accept: "text/event-stream", "Last-Event-ID": last });
      for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
        const lines = (text + chunk).split("\n");
        text = lines.pop();
        for (const line of lines.filter((one) => one.startsWith("data: "))) {
          const event = JSON.parse(line.slice(6));
          if (event.type !== "ready" || last === "") last = String(event.id ?? event.lastEventId);
          yield event;
        }
      }
    } catch {
      await pause();
    }
  }
}

async function fill(path, body) {
  let { order } = await call("POST", path, {}, body);
  while (["PENDING", "OPEN"].includes(order.status)) { // OPEN: it waits for the market
    const { type, data } = (await events.next()).value;
    if (data?.orderId === order.orderId) order = data;
    if (type === "reset") // events are missing: read the order instead
      order = await call("GET", `/orders/${order.orderId}`, {});
  }
  console.log(`order.${order.status.toLowerCase()}`, order.side, order.symbol, "at", order.averagePrice);
  return order.positionId ?? end(order.rejectionReason ?? "it was not filled");
}

const [exchange, symbol] = process.argv.slice(2);
if (process.argv.length !== 4) end("usage: TRADEPOST_TOKEN=... node examples/bot.mjs EXCHANGE SYMBOL");
if (!process.env.TRADEPOST_TOKEN) end("no token: set TRADEPOST_TOKEN");
const events = listen();
await events.next(); // "ready": from here on no event is missed
const positionId = await fill("/orders", { exchange, symbol, side: "BUY", quantity: 1 });
await fill(`/positions/${positionId}/close`);
process.exit();
