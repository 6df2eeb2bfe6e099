-- The user that the home page's form is filled in with. The password is "demo".
INSERT INTO "users" ("email", "password_hash")
VALUES (
	'demo@shop.example',
	'scrypt$16384$8$1$c2hvcC1kZW1vLXVzZXI=$QzNnHV6lYTGZUBlhgFygVb6xSiIS3Qtg+wt9urHJNgY='
)
ON CONFLICT ("email") DO NOTHING;
