import { html } from "hono/html";
import { CATALOGUE } from "./catalogue.ts";
import type { Order, User } from "./store.ts";

type Html = ReturnType<typeof html>;

function page(title: string, version: string, body: Html): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>${title}</title>
      </head>
      <body>
        ${body}
        <footer>Version ${version}</footer>
      </body>
    </html> `;
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`;
}

export function homePage(version: string, lastArticles: readonly string[]): Html {
  return page(
    "Shop",
    version,
    html`<h1>Shop</h1>
      <ul>
        ${[...CATALOGUE].map(([article, cents]) => html`<li>${article}, ${euros(cents)}</li>`)}
      </ul>
      <p>Ordered last: ${lastArticles.join(", ") || "nothing yet"}</p>
      <form method="post" action="/api/login">
        <label>E-mail <input name="email" type="email" value="demo@shop.example" required /></label>
        <label>Password <input name="password" type="password" required /></label>
        <button>Sign in</button>
      </form>`,
  );
}

export function accountPage(version: string, user: User, orders: readonly Order[]): Html {
  return page(
    "Your orders",
    version,
    html`<h1>Your orders</h1>
      <p>Signed in as ${user.email}</p>
      <form method="post" action="/api/orders">
        <select name="article">
          ${[...CATALOGUE.keys()].map((article) => html`<option>${article}</option>`)}
        </select>
        <label>Quantity <input name="quantity" type="number" value="1" min="1" max="100" /></label>
        <label>Note <input name="note" maxlength="500" /></label>
        <button>Order</button>
      </form>
      <ol>
        ${orders.map(
          (order) =>
            html`<li value="${order.id}">
              ${order.quantity} × ${order.article}, ${euros(order.quantity * order.priceCents)},
              ${order.placedAt.toISOString()} ${order.note}
            </li>`,
        )}
      </ol>
      <form method="post" action="/api/logout"><button>Sign out</button></form>`,
  );
}
