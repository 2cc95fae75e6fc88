// A shopper's four calls through Segment's own Node library: HOST WRITE_KEY.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, maxRetries: 2 });
let errors = 0;
analytics.on("error", (error) => {
  errors += 1;
  console.error(error);
});

const who = { userId: "u-node", anonymousId: "anon-node" };
analytics.identify({ ...who, traits: { email: "node@shop.example" } });
analytics.track({ ...who, event: "Product Viewed", properties: { product_id: "p-1", name: "Köln mug" } });
analytics.track({
  ...who,
  event: "Product Clicked",
  properties: { product_id: "p-1", resolvedBidId: "bid-node" },
});
analytics.track({
  ...who,
  event: "Order Completed",
  properties: {
    order_id: "o-node",
    total: 39,
    products: [
      { product_id: "p-1", price: 9.5, quantity: 2 },
      { product_id: "p-2", price: 20, quantity: 1 },
    ],
  },
});
await analytics.closeAndFlush();
process.exit(errors === 0 ? 0 : 1);
