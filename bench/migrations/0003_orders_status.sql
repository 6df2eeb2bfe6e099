CREATE INDEX CONCURRENTLY "orders_status" ON "orders" ("status", "placed_at");
