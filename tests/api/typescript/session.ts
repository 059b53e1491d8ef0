// A session with the service by a client that openapi-typescript has made of its document.
import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

declare const process: { env: Record<string, string> };

const client = createClient<paths>({
  baseUrl: process.env.URL,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});

// Some routes answer with text (CSV, server-sent events) to those who ask for it.
function answered<Data>(result: { data?: Data; error?: components["schemas"]["Problem"] }): Exclude<Data, string> {
  if (result.data === undefined || typeof result.data === "string") throw new Error(JSON.stringify(result.error));
  return result.data as Exclude<Data, string>;
}

const order: components["schemas"]["OrderRequest"] = {
  exchange: "NSE",
  symbol: "RELIANCE",
  side: "BUY",
  quantity: 10,
  orderType: "LIMIT",
  price: "2500.00",
};
const key = { header: { "Idempotency-Key": "typescript-1" } };
const placed = await client.POST("/api/trading/orders", { params: key, body: order });
const again = answered(await client.POST("/api/trading/orders", { params: key, body: order }));
const named = { path: { order_id: answered(placed).orderId } };
const read = answered(await client.GET("/api/trading/orders/{order_id}", { params: named }));
const account = answered(await client.GET("/api/trading/account"));
const cancelled = answered(await client.DELETE("/api/trading/orders/{order_id}", { params: named }));
const page = answered(await client.GET("/api/trading/orders", { params: { query: { status: ["CANCELLED"] } } }));
const events = answered(await client.GET("/api/trading/events", { params: { query: { since: 0 } } }));
const refused = await client.POST("/api/trading/orders", { body: { ...order, quantity: 1_000_000 } });

// The type of an event tells the type of its data.
function statusOf(event: components["schemas"]["Event"]): components["schemas"]["OrderStatus"][] {
  switch (event.type) {
    case "position.updated":
    case "account.updated":
      return [];
    default:
      return [event.data.status];
  }
}

console.log(
  JSON.stringify({
    status: placed.response.status,
    order_ids: [answered(placed), again, read, cancelled, ...page.data].map((each) => each.orderId),
    quantity: read.quantity,
    price: read.price,
    kinds: read.transactions.map((entry) => entry.kind),
    blocked: account.blockedMargin,
    events: events.data.flatMap(statusOf),
    refusal: refused.error?.code,
    required: refused.error?.required,
  }),
);
