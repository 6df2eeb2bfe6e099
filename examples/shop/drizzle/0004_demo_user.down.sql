-- Fails, and so changes nothing, while the user has orders: those are not ours to throw away.
DELETE FROM "users" WHERE "email" = 'demo@shop.example';
