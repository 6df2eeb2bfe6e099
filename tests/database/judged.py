"""Migrations of our own and the rules that each meets: `HARMLESS` none, `HAZARDS` what they name.

Every text stands for a whole file that is pending alone, on a database in which `users`, `orders`,
`audit.log` and their like have been there for long.
"""

from __future__ import annotations

HARMLESS: dict[str, str] = {
    "a table": """
        CREATE TABLE "coupons" (
            "id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
            "code" text NOT NULL,
            CONSTRAINT "coupons_code_unique" UNIQUE("code")
        );""",
    "a table, its foreign key and its index": """
        CREATE TABLE "notes" ("id" serial PRIMARY KEY NOT NULL, "user_id" integer NOT NULL);
        --> statement-breakpoint
        ALTER TABLE "notes" ADD CONSTRAINT "notes_user_id_users_id_fk" FOREIGN KEY ("user_id")
            REFERENCES "public"."users"("id") ON DELETE cascade ON UPDATE no action;
        --> statement-breakpoint
        CREATE INDEX "notes_user_id_idx" ON "notes" USING btree ("user_id");""",
    "an old kit's foreign key": """
        CREATE TABLE IF NOT EXISTS "notes" ("id" serial PRIMARY KEY NOT NULL, "user_id" integer);
        --> statement-breakpoint
        DO $$ BEGIN
         ALTER TABLE "notes" ADD CONSTRAINT "fk" FOREIGN KEY ("user_id")
            REFERENCES "public"."users"("id") ON DELETE no action ON UPDATE no action;
        EXCEPTION
         WHEN duplicate_object THEN null;
        END $$;""",
    "an old kit's type": """
        DO $$ BEGIN
         CREATE TYPE "public"."mood" AS ENUM('good', 'bad');
        EXCEPTION
         WHEN duplicate_object THEN null;
        END $$;""",
    "everything done to a new table": """
        CREATE TABLE t (id int, a varchar(10));
        ALTER TABLE t ADD COLUMN b text NOT NULL, ADD CHECK (b <> ''), ALTER a TYPE int USING 1;
        ALTER TABLE t ALTER COLUMN b DROP DEFAULT, ALTER COLUMN a SET NOT NULL, DROP COLUMN id;
        CREATE UNIQUE INDEX ON t (a);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY p ON t USING (true);
        INSERT INTO t (a, b) VALUES (1, 'x');
        UPDATE t SET a = 2;
        DELETE FROM t;
        TRUNCATE t;
        ALTER TABLE t RENAME a TO c;
        ALTER TABLE t RENAME TO u;
        CREATE INDEX ON u (c);
        DROP TABLE u;""",
    "a column": 'ALTER TABLE "users" ADD COLUMN "nickname" text;',
    "a column with a default": """
        ALTER TABLE "users" ADD COLUMN "points" integer DEFAULT 0 NOT NULL;""",
    "a column that says when": """
        ALTER TABLE "users" ADD COLUMN "at" timestamp with time zone DEFAULT now() NOT NULL;""",
    "a column of an array": """
        ALTER TABLE users ADD COLUMN tags text[] DEFAULT '{}'::text[] NOT NULL""",
    "a column of a new type": """
        CREATE TYPE "public"."plan" AS ENUM('free', 'paid');--> statement-breakpoint
        ALTER TABLE "users" ADD COLUMN "plan" "plan" DEFAULT 'free' NOT NULL;""",
    "two columns in one": """
        ALTER TABLE users ADD COLUMN a text, ADD COLUMN b int DEFAULT 1 NOT NULL;""",
    "a column that points": "ALTER TABLE orders ADD COLUMN coupon_id int REFERENCES coupons (id);",
    "a foreign key of a new column, not validated": """
        ALTER TABLE orders ADD COLUMN coupon_id int;
        ALTER TABLE orders ADD CONSTRAINT f
            FOREIGN KEY (coupon_id) REFERENCES coupons NOT VALID;""",
    "validating": "ALTER TABLE orders VALIDATE CONSTRAINT orders_user_id_fk;",
    "validating first": """
        ALTER TABLE orders VALIDATE CONSTRAINT a, VALIDATE CONSTRAINT b;
        ALTER TABLE orders ADD COLUMN note text;""",
    "validating in a new table": """
        CREATE TABLE t (id int);
        ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0) NOT VALID;
        ALTER TABLE t VALIDATE CONSTRAINT c;""",
    "an index, quietly": 'CREATE INDEX CONCURRENTLY IF NOT EXISTS "i" ON "orders" ("placed_at");',
    "an index goes, quietly": "DROP INDEX CONCURRENTLY IF EXISTS public.orders_user_id_idx;",
    "an index, with settings": """
        SET lock_timeout = 0;
        CREATE INDEX CONCURRENTLY i ON orders (placed_at);
        RESET lock_timeout;""",
    "a unique index of new columns": """
        ALTER TABLE audit.log ADD COLUMN token text, ADD COLUMN part int DEFAULT 1;
        ALTER TABLE audit.log ADD CONSTRAINT c CHECK (part > 0) NOT VALID;""",
    "a constraint from its index": """
        ALTER TABLE users ADD CONSTRAINT users_email_unique UNIQUE USING INDEX users_email_idx;""",
    "a view": "CREATE VIEW totals AS SELECT user_id, sum(price_cents) FROM orders GROUP BY 1;",
    "a view, made twice": """
        CREATE VIEW v AS SELECT id FROM users;
        CREATE OR REPLACE VIEW v AS SELECT id, email FROM users;
        DROP VIEW v;""",
    "a function and its trigger on a new table": """
        CREATE TABLE t (id int);
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN DELETE FROM users; DROP TABLE orders; RETURN NEW; END $$;
        CREATE TRIGGER t_touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();""",
    "words in strings": """
        COMMENT ON TABLE users IS 'DROP TABLE users; DELETE FROM users; TRUNCATE orders';
        COMMENT ON COLUMN users.email IS $$ALTER TABLE users DROP COLUMN email;$$;""",
    "words in comments": """
        -- DROP TABLE users;
        /* DELETE FROM users; /* TRUNCATE orders; */ ALTER TABLE users DROP COLUMN email; */
        ALTER TABLE users ADD COLUMN x text; -- UPDATE users SET x = '';""",
    "names that are words": """
        ALTER TABLE "drop" ADD COLUMN "delete" text, ADD COLUMN "rename" int,
            ADD COLUMN "type" text;""",
    "rights are given": "GRANT SELECT, INSERT ON orders TO reporting;",
    "an extension": 'CREATE EXTENSION IF NOT EXISTS "pg_trgm";',
    "a schema and what is in it": """
        CREATE SCHEMA "billing";--> statement-breakpoint
        CREATE TABLE "billing"."invoices" (
            "id" uuid PRIMARY KEY DEFAULT gen_random_uuid() NOT NULL
        );
        --> statement-breakpoint
        CREATE UNIQUE INDEX "invoices_id_idx" ON "billing"."invoices" ("id");""",
    "a sequence": "CREATE SEQUENCE invoice_numbers START 1000; ALTER SEQUENCE s OWNED BY users.id;",
    "a default for a new column": """
        ALTER TABLE users ADD COLUMN locale text;
        ALTER TABLE users ALTER COLUMN locale SET DEFAULT 'en';""",
    "questions": """
        SELECT count(*) FROM users WHERE lower(email) = 'a' AND id IN (SELECT 1);
        SELECT set_config('app.user', '', true), pg_advisory_xact_lock(1);
        EXPLAIN DELETE FROM users;
        ANALYZE users; SHOW lock_timeout;""",
    "storage": """
        ALTER TABLE users ALTER COLUMN email SET STATISTICS 500, ALTER email SET STORAGE external;
        ALTER TABLE users SET (fillfactor = 90); ALTER INDEX i RENAME TO j;
        CREATE STATISTICS s ON email, id FROM users; DROP STATISTICS s;""",
    "a new table takes part": """
        CREATE TABLE orders_2027 PARTITION OF orders_by_year FOR VALUES FROM (2027) TO (2028);
        CREATE TABLE orders_2028 (LIKE orders_by_year);
        ALTER TABLE orders_by_year ATTACH PARTITION orders_2028
            FOR VALUES FROM (2028) TO (2029);""",
    "an odd case": 'aLtEr TaBlE UsErS aDd CoLuMn "Größe" TeXt;;;\n\t;',
    "a block that asks": """
        DO $do$
        DECLARE n int := 0; r record;
        BEGIN
            SELECT count(*) INTO n FROM users;
            IF n = 0 THEN RAISE NOTICE 'DROP TABLE users'; END IF;
            FOR r IN SELECT id FROM users LOOP
                n := n + CASE WHEN r.id > 1 THEN 1 ELSE 0 END;
            END LOOP;
        END
        $do$;""",
    "a query of queries": """
        WITH RECURSIVE a (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM a WHERE id < 9),
            b (id, n) AS MATERIALIZED (SELECT id, count(*) FROM a GROUP BY 1)
        SELECT coalesce(max(n), 0) AS n FROM b JOIN a USING (id);""",
    "nothing": "-- Custom SQL migration file, put your code below! --",
}

HAZARDS: dict[str, tuple[str, set[str]]] = {
    # --- what goes
    "drop table": ('DROP TABLE "orders";', {"drop-table"}),
    "drop table, odd case": ("dRoP\n\tTaBlE if EXISTS public.Orders CASCADE", {"drop-table"}),
    "drop the second of two": ("CREATE TABLE a (i int); DROP TABLE a, orders;", {"drop-table"}),
    "drop a table that was perhaps there": (
        "CREATE TABLE IF NOT EXISTS orders (id int); DROP TABLE orders;",
        {"drop-table"},
    ),
    "drop another schema's": (
        "CREATE TABLE log (id int); DROP TABLE audit.log;",
        {"drop-table"},
    ),
    "drop another case's": (
        'CREATE TABLE "Users" (id int); DROP TABLE users;',
        {"drop-table"},
    ),
    "drop a foreign table": ("DROP FOREIGN TABLE elsewhere;", {"drop-table"}),
    "drop behind a comment": ("DROP /* just */ -- a\n TABLE /* little */ users", {"drop-table"}),
    "drop after the search path": (
        "CREATE TABLE users (id int); SET search_path = audit; DROP TABLE users;",
        {"drop-table"},
    ),
    "drop behind a comment that a carriage return ends": (
        "-- nothing\rDROP TABLE users;\r\n",
        {"drop-table"},
    ),
    "drop between odd quotes": ("SELECT $€$ ' $€$; DROP TABLE users; --'", {"drop-table"}),
    # squawk does not know that such a string goes on; better that than the other way round.
    "drop behind a string in two lines": (
        "SELECT E'a'\n  'b\\''; DROP TABLE users; --'",
        {"drop-table", "unreadable"},
    ),
    "drop the one that the session's hides": (
        "CREATE TEMP TABLE users (id int); DROP TABLE public.users;",
        {"drop-table"},
    ),
    "drop what was undone": (
        "BEGIN; CREATE TABLE users (id int); ROLLBACK; DROP TABLE users;",
        {"drop-table", "not-atomic"},
    ),
    "drop what a branch has made": (
        """DO $$ BEGIN CREATE TABLE users (id int);
            EXCEPTION WHEN duplicate_table THEN NULL; END $$;
        DROP TABLE users;""",
        {"drop-table"},
    ),
    "drop a schema that was perhaps there": (
        "CREATE SCHEMA IF NOT EXISTS audit; DROP SCHEMA audit CASCADE;",
        {"drop-schema"},
    ),
    "drop column": ('ALTER TABLE "users" DROP COLUMN "name";', {"drop-column"}),
    "drop column, the short way": ("alter table only users drop name restrict", {"drop-column"}),
    "drop column among others": (
        """ALTER TABLE users ADD COLUMN a text, ALTER b SET STATISTICS 9,
            DROP IF EXISTS name CASCADE;""",
        {"drop-column"},
    ),
    "drop column of a schema": ('ALTER TABLE "audit"."log" DROP COLUMN "who";', {"drop-column"}),
    "drop a column that is called column": ('ALTER TABLE t DROP "column";', {"drop-column"}),
    "drop a column by its number": (
        'ALTER TABLE U&"user\\0073" DROP COLUMN U&"n\\0061me";',
        {"drop-column"},
    ),
    "drop view": ("DROP VIEW IF EXISTS totals;", {"drop-view"}),
    "drop materialized view": ("DROP MATERIALIZED VIEW public.totals;", {"drop-view"}),
    "replace a view by force": (
        "DROP VIEW totals; CREATE VIEW totals AS SELECT 1 AS a;",
        {"replace-view"},
    ),
    "drop type": ('DROP TYPE "public"."mood";', {"drop-type"}),
    "drop domain": ("DROP DOMAIN email;", {"drop-type"}),
    "drop schema": ("DROP SCHEMA audit CASCADE", {"drop-schema"}),
    "drop function": ("DROP FUNCTION touch(int, text), other();", {"drop-function"}),
    "drop procedure": ("DROP PROCEDURE IF EXISTS tidy", {"drop-function"}),
    "drop extension": ('DROP EXTENSION "pg_trgm";', {"drop-function"}),
    "drop sequence": ("DROP SEQUENCE invoice_numbers;", {"drop-sequence"}),
    "drop what somebody owns": ("DROP OWNED BY shop;", {"opaque", "revoke"}),
    "drop role": ("DROP ROLE reporting;", {"revoke"}),
    "drop default": ("ALTER TABLE users ALTER COLUMN points DROP DEFAULT;", {"drop-default"}),
    "drop identity": ("ALTER TABLE users ALTER id DROP IDENTITY IF EXISTS;", {"drop-default"}),
    "drop the default that a new column needs": (
        "ALTER TABLE users ADD a int DEFAULT 1 NOT NULL; ALTER TABLE users ALTER a DROP DEFAULT;",
        {"drop-default"},
    ),
    "drop constraint": (
        'ALTER TABLE "orders" DROP CONSTRAINT "orders_user_id_users_id_fk";',
        {"drop-constraint"},
    ),
    "drop not null": ('ALTER TABLE "users" ALTER COLUMN "name" DROP NOT NULL;', {"drop-not-null"}),
    "drop index": ('DROP INDEX "orders_user_id_idx";', {"index-blocks-writes"}),
    "drop trigger": ("DROP TRIGGER IF EXISTS users_touch ON users;", {"add-trigger"}),
    "drop policy": ('DROP POLICY "own" ON "orders" CASCADE;', {"row-security"}),
    "drop rule": ("DROP RULE r ON orders;", {"add-trigger"}),
    # --- what is called otherwise
    "rename table": ('ALTER TABLE "users" RENAME TO "people";', {"rename-table"}),
    "rename view": ("ALTER VIEW totals RENAME TO sums;", {"rename-table"}),
    "rename sequence": ("ALTER SEQUENCE s RENAME TO t;", {"rename-table"}),
    "rename column": (
        'ALTER TABLE "users" RENAME COLUMN "name" TO "full_name";',
        {"rename-column"},
    ),
    "rename column, the short way": ("ALTER TABLE users RENAME name TO called", {"rename-column"}),
    "rename a view's column": ("ALTER VIEW totals RENAME COLUMN a TO b", {"rename-column"}),
    "rename an attribute": ("ALTER TYPE address RENAME ATTRIBUTE zip TO code", {"rename-column"}),
    "rename type": ('ALTER TYPE "public"."mood" RENAME TO "mood_old";', {"rename-type"}),
    "rename function": ("ALTER FUNCTION touch(int) RENAME TO touch_it;", {"rename-type"}),
    "rename schema": ("ALTER SCHEMA audit RENAME TO old_audit;", {"rename-type"}),
    "rename enum value": (
        """ALTER TYPE "public"."state" RENAME VALUE 'done' TO 'finished';""",
        {"rename-enum-value"},
    ),
    "enum value goes, as drizzle does it": (
        """
        ALTER TABLE "jobs" ALTER COLUMN "state" SET DATA TYPE text;--> statement-breakpoint
        DROP TYPE "public"."state";--> statement-breakpoint
        CREATE TYPE "public"."state" AS ENUM('waiting');--> statement-breakpoint
        ALTER TABLE "jobs" ALTER COLUMN "state" SET DATA TYPE "public"."state"
            USING "state"::"public"."state";""",
        {"change-type", "rewrite", "remove-enum-value"},
    ),
    "set schema": ("ALTER TABLE users SET SCHEMA audit;", {"set-schema"}),
    "set a function's schema": ("ALTER FUNCTION f() SET SCHEMA audit;", {"set-schema"}),
    # --- types
    "change type": (
        'ALTER TABLE "orders" ALTER COLUMN "quantity" SET DATA TYPE bigint;',
        {"change-type", "rewrite"},
    ),
    "change type, the short way": (
        "ALTER TABLE orders ALTER quantity TYPE text USING quantity::text",
        {"change-type", "rewrite"},
    ),
    "change type to text": (
        "ALTER TABLE users ALTER COLUMN name SET DATA TYPE text;",
        {"change-type", "rewrite"},
    ),
    "change the type of what is new, with rows": (
        "ALTER TABLE users ADD COLUMN a int; ALTER TABLE users ALTER a TYPE text;",
        {"rewrite"},
    ),
    "an attribute more": ("ALTER TYPE address ADD ATTRIBUTE floor int;", {"change-type"}),
    # --- columns
    "required column": (
        'ALTER TABLE "users" ADD COLUMN "age" integer NOT NULL;',
        {"add-required-column"},
    ),
    "required column, the short way": (
        "ALTER TABLE users ADD age int NOT NULL",
        {"add-required-column"},
    ),
    "required column, DEFAULT NULL": (
        "ALTER TABLE users ADD COLUMN age int DEFAULT NULL NOT NULL",
        {"add-required-column"},
    ),
    "required column, the third": (
        """ALTER TABLE users ADD a int, ADD b numeric(9, 2) DEFAULT 0,
            ADD COLUMN IF NOT EXISTS c int NOT NULL""",
        {"add-required-column"},
    ),
    "required in three steps": (
        """
        ALTER TABLE users ADD COLUMN age int;
        UPDATE users SET age = 0 WHERE age IS NULL;
        ALTER TABLE users ALTER COLUMN age SET NOT NULL;""",
        {"update", "set-not-null", "set-not-null-scan"},
    ),
    "random for each row": (
        'ALTER TABLE "users" ADD COLUMN "key" uuid DEFAULT gen_random_uuid() NOT NULL;',
        {"rewrite"},
    ),
    "a serial column": ("ALTER TABLE users ADD COLUMN n bigserial;", {"rewrite"}),
    "an identity column": (
        "ALTER TABLE users ADD COLUMN n int GENERATED BY DEFAULT AS IDENTITY;",
        {"rewrite"},
    ),
    "a stored column": (
        "ALTER TABLE users ADD COLUMN low text GENERATED ALWAYS AS (lower(email)) STORED;",
        {"rewrite"},
    ),
    "a unique column": (
        "ALTER TABLE users ADD COLUMN handle text UNIQUE;",
        {"unique-builds-index"},
    ),
    "a unique column, the same for all": (
        "ALTER TABLE users ADD COLUMN handle text DEFAULT '' UNIQUE;",
        {"add-unique", "unique-builds-index"},
    ),
    "a checked column": (
        "ALTER TABLE users ADD COLUMN age int CHECK (age > 0);",
        {"constraint-scan"},
    ),
    "a column that points, with a value": (
        "ALTER TABLE orders ADD COLUMN shop_id int DEFAULT 1 NOT NULL REFERENCES shops;",
        {"constraint-scan"},
    ),
    "set not null": (
        'ALTER TABLE "users" ALTER COLUMN "name" SET NOT NULL;',
        {"set-not-null", "set-not-null-scan"},
    ),
    "set not null after a check": (
        """
        ALTER TABLE users ADD CONSTRAINT n CHECK (name IS NOT NULL) NOT VALID;
        ALTER TABLE users VALIDATE CONSTRAINT n;
        ALTER TABLE users ALTER COLUMN name SET NOT NULL;
        ALTER TABLE users DROP CONSTRAINT n;""",
        {"add-check", "set-not-null", "constraint-scan"},
    ),
    "set not null after a check that is not validated": (
        """
        ALTER TABLE users ADD CONSTRAINT n CHECK (name IS NOT NULL) NOT VALID;
        ALTER TABLE users ALTER COLUMN name SET NOT NULL;""",
        {"add-check", "set-not-null", "set-not-null-scan"},
    ),
    "set default": ("ALTER TABLE users ALTER COLUMN points SET DEFAULT 5;", {"set-default"}),
    "identity always": (
        "ALTER TABLE users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY;",
        {"identity-always"},
    ),
    "identity always from now on": (
        "ALTER TABLE users ALTER COLUMN id SET GENERATED ALWAYS;",
        {"identity-always"},
    ),
    # --- constraints
    "unique": (
        'ALTER TABLE "users" ADD CONSTRAINT "users_name_unique" UNIQUE("name");',
        {"add-unique", "unique-builds-index"},
    ),
    "unique without a name": (
        "ALTER TABLE users ADD UNIQUE (name)",
        {"add-unique", "unique-builds-index"},
    ),
    "unique, of old and new": (
        "ALTER TABLE users ADD a int; ALTER TABLE users ADD UNIQUE (a), ADD UNIQUE (a, name);",
        {"add-unique", "unique-builds-index"},
    ),
    "primary key": (
        "ALTER TABLE log ADD PRIMARY KEY (id);",
        {"add-unique", "unique-builds-index"},
    ),
    "unique index": (
        'CREATE UNIQUE INDEX "i" ON "users" USING btree (lower("email"));',
        {"add-unique", "index-blocks-writes"},
    ),
    "unique index, quietly": (
        "CREATE UNIQUE INDEX CONCURRENTLY i ON users (name text_pattern_ops DESC)",
        {"add-unique"},
    ),
    "unique index of a new column, nulls alike": (
        "ALTER TABLE users ADD a int; CREATE UNIQUE INDEX i ON users (a) NULLS NOT DISTINCT;",
        {"add-unique", "index-blocks-writes"},
    ),
    "check": (
        'ALTER TABLE "orders" ADD CONSTRAINT "c" CHECK ("orders"."quantity" > 0);',
        {"add-check", "constraint-scan"},
    ),
    "check, not valid": (
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (quantity > 0) NOT VALID;",
        {"add-check"},
    ),
    "check, not valid, and validated at once": (
        """
        ALTER TABLE orders ADD CONSTRAINT c CHECK (quantity > 0) NOT VALID;
        ALTER TABLE orders VALIDATE CONSTRAINT c;""",
        {"add-check", "constraint-scan"},
    ),
    "check, not valid, and validated in one statement": (
        """
        ALTER TABLE orders ADD CONSTRAINT c CHECK (quantity > 0) NOT VALID,
            VALIDATE CONSTRAINT c;""",
        {"add-check", "constraint-scan"},
    ),
    "foreign key, not valid, and validated at once": (
        """
        ALTER TABLE orders ADD coupon_id int;
        ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (coupon_id) REFERENCES coupons NOT VALID;
        ALTER TABLE orders VALIDATE CONSTRAINT f;""",
        {"constraint-scan"},
    ),
    "validated while the table is locked for a column": (
        """
        DO $$ BEGIN
            ALTER TABLE ONLY orders ADD note text;
            ALTER TABLE IF EXISTS public.orders VALIDATE CONSTRAINT orders_user_id_fk;
        END $$;""",
        {"constraint-scan"},
    ),
    "check that says not valid itself": (
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (NOT valid)",
        {"add-check", "constraint-scan"},
    ),
    "check of what nobody writes": (
        "ALTER TABLE users ADD a int; ALTER TABLE users ADD CHECK (a IS NOT NULL) NOT VALID;",
        {"add-check"},
    ),
    "foreign key": (
        """ALTER TABLE "orders" ADD CONSTRAINT "f" FOREIGN KEY ("article")
            REFERENCES "public"."articles"("id") ON DELETE no action ON UPDATE no action;""",
        {"add-foreign-key", "constraint-scan"},
    ),
    "foreign key, not valid": (
        "ALTER TABLE orders ADD CONSTRAINT f FOREIGN KEY (article) REFERENCES articles NOT VALID",
        {"add-foreign-key"},
    ),
    "foreign key of a new column": (
        "ALTER TABLE orders ADD c int; ALTER TABLE orders ADD FOREIGN KEY (c) REFERENCES coupons;",
        {"constraint-scan"},
    ),
    "exclusion": (
        "ALTER TABLE stays ADD CONSTRAINT e EXCLUDE USING gist (room WITH =, during WITH &&);",
        {"add-exclusion", "unique-builds-index"},
    ),
    "domain's check": (
        "ALTER DOMAIN email ADD CONSTRAINT c CHECK (value LIKE '%@%');",
        {"add-check", "constraint-scan"},
    ),
    "a partition that has rows": (
        "ALTER TABLE by_year ATTACH PARTITION old_orders DEFAULT;",
        {"add-check", "constraint-scan"},
    ),
    "a partition goes": (
        "ALTER TABLE by_year DETACH PARTITION orders_2020;",
        {"delete", "lock-table"},
    ),
    # --- who may, and what else happens
    "row security": ('ALTER TABLE "users" ENABLE ROW LEVEL SECURITY;', {"row-security"}),
    "row security, forced": ("ALTER TABLE users FORCE ROW LEVEL SECURITY", {"row-security"}),
    "row security goes": ("ALTER TABLE users DISABLE ROW LEVEL SECURITY", {"row-security"}),
    "policy": (
        'CREATE POLICY "own" ON "orders" AS PERMISSIVE FOR SELECT TO public USING (true);',
        {"row-security"},
    ),
    "another policy": ("ALTER POLICY own ON public.orders USING (false)", {"row-security"}),
    "revoke": ("REVOKE INSERT, UPDATE ON orders FROM shop;", {"revoke"}),
    "revoke by default": (
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM shop;",
        {"revoke"},
    ),
    "another owner": ("ALTER TABLE users OWNER TO somebody;", {"revoke"}),
    "role": ("ALTER ROLE shop NOLOGIN;", {"revoke"}),
    "trigger": (
        """CREATE TRIGGER t BEFORE INSERT OR UPDATE OF a ON public.users
            FOR EACH ROW EXECUTE FUNCTION f();""",
        {"add-trigger"},
    ),
    "constraint trigger": (
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE PROCEDURE f();",
        {"add-trigger"},
    ),
    "trigger off": ("ALTER TABLE users DISABLE TRIGGER ALL;", {"add-trigger"}),
    "rule": ("CREATE RULE r AS ON DELETE TO users DO INSTEAD NOTHING;", {"add-trigger"}),
    "replace function": (
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
        {"replace-function"},
    ),
    "alter function": ("ALTER FUNCTION f(int) STRICT SECURITY DEFINER;", {"replace-function"}),
    "replace view": ("CREATE OR REPLACE VIEW totals AS SELECT 1;", {"replace-view"}),
    "view of the invoker": ("ALTER VIEW totals SET (security_invoker = true);", {"row-security"}),
    # --- rows
    "truncate": ('TRUNCATE TABLE "orders";', {"truncate"}),
    "truncate, the short way": (
        "truncate only users, public.orders restart identity",
        {"truncate"},
    ),
    "truncate what hangs on a new one": (
        """
        CREATE TABLE a (id int PRIMARY KEY);
        ALTER TABLE orders ADD COLUMN a_id int REFERENCES a;
        TRUNCATE a CASCADE;""",
        {"truncate"},
    ),
    "delete": ("DELETE FROM users WHERE email = 'x';", {"delete"}),
    "delete all": ('delete from only "audit"."log"', {"delete"}),
    "delete in a name": (
        "WITH gone AS (DELETE FROM orders WHERE id = 1 RETURNING *) SELECT * FROM gone;",
        {"delete"},
    ),
    "delete in a copy": (
        "COPY (DELETE FROM users RETURNING *) TO '/tmp/gone';",
        {"delete"},
    ),
    "delete in a table's making": (
        "CREATE TABLE gone AS WITH g AS (DELETE FROM users RETURNING *) SELECT * FROM g;",
        {"delete"},
    ),
    "delete, explained": ("EXPLAIN (ANALYZE) DELETE FROM users;", {"delete"}),
    "delete by merge": (
        "MERGE INTO users u USING gone g ON g.id = u.id WHEN MATCHED THEN DELETE;",
        {"delete"},
    ),
    "update all": ("UPDATE users SET name = 'x';", {"update-all"}),
    "update all, with a where within": (
        "UPDATE users SET name = (SELECT a FROM b WHERE b.id = users.id)",
        {"update-all"},
    ),
    "update all, for show": (
        "UPDATE users SET name = '' WHERE (1 = 1) RETURNING id",
        {"update-all"},
    ),
    "update": ("UPDATE users u SET name = '' FROM orders o WHERE o.user_id = u.id", {"update"}),
    "insert": ("INSERT INTO users (email) VALUES ('a') ON CONFLICT DO NOTHING;", {"insert"}),
    "insert or update": (
        "INSERT INTO users (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1;",
        {"insert", "update"},
    ),
    "copy": ("COPY users (email) FROM '/tmp/users.csv';", {"insert"}),
    "enum value": (
        "ALTER TYPE state ADD VALUE IF NOT EXISTS 'late' BEFORE 'done';",
        {"add-enum-value"},
    ),
    "a sequence from another number": (
        "ALTER SEQUENCE users_id_seq RESTART WITH 1;",
        {"set-default"},
    ),
    "a sequence, by a function": ("SELECT setval('users_id_seq', 1);", {"set-default"}),
    # --- locks
    "index": ('CREATE INDEX "i" ON "orders" USING btree ("placed_at");', {"index-blocks-writes"}),
    "reindex": ("REINDEX TABLE orders;", {"lock-table"}),
    "cluster": ("CLUSTER orders USING orders_pkey;", {"lock-table"}),
    "vacuum full": ("VACUUM (FULL, ANALYZE) orders;", {"lock-table"}),
    "lock": ("LOCK orders IN SHARE MODE;", {"lock-table"}),
    "refresh": ("REFRESH MATERIALIZED VIEW totals;", {"lock-table"}),
    "unlogged": ("ALTER TABLE orders SET UNLOGGED;", {"rewrite"}),
    "one waits for the other": (
        "ALTER TABLE users ADD a text; CREATE INDEX i ON orders (id);",
        {"index-blocks-writes", "many-locks"},
    ),
    "five at once": (
        "".join(f"ALTER TABLE t{number} ADD COLUMN a text;" for number in range(5)),
        {"many-locks"},
    ),
    "concurrently beside others": (
        "ALTER TABLE users ADD a text; CREATE INDEX CONCURRENTLY i ON users (a);",
        {"not-atomic"},
    ),
    "concurrently, with options": (
        "REINDEX (VERBOSE) TABLE CONCURRENTLY orders; ALTER TABLE users ADD a text;",
        {"not-atomic"},
    ),
    "a partition goes quietly, beside others": (
        "ALTER TABLE by_year DETACH PARTITION old CONCURRENTLY; ANALYZE by_year;",
        {"delete", "not-atomic"},
    ),
    "its own transaction": ("BEGIN; ALTER TABLE users ADD a text; COMMIT;", {"not-atomic"}),
    "out of the transaction": (
        "COMMIT;--> statement-breakpoint\nCREATE INDEX CONCURRENTLY i ON users (a);",
        {"not-atomic"},
    ),
    # --- hidden in blocks
    "drop in a block": (
        "DO $$ BEGIN DROP TABLE users; END $$;",
        {"drop-table"},
    ),
    "drop in a block, nested": (
        """
        DO LANGUAGE plpgsql $body$
        <<outer>>
        DECLARE n int := 1;
        BEGIN
            IF EXISTS (SELECT 1 FROM information_schema.columns WHERE column_name = 'name') THEN
                BEGIN
                    ALTER TABLE users ADD COLUMN x text, DROP COLUMN name;
                EXCEPTION WHEN undefined_column OR undefined_table THEN
                    RAISE NOTICE 'none';
                END;
            ELSIF n > 2 THEN
                NULL;
            ELSE
                WHILE n < 3 LOOP n := n + 1; END LOOP;
            END IF;
        END outer
        $body$;""",
        {"drop-column"},
    ),
    "rename in a block": (
        "do 'begin alter table users rename column name to \"called\"; end';",
        {"rename-column"},
    ),
    "truncate in a case": (
        """DO $$ DECLARE a int; BEGIN
            CASE a WHEN 1 THEN NULL; ELSE TRUNCATE users; END CASE; END; $$""",
        {"truncate"},
    ),
    "delete in a loop": (
        """DO $$ DECLARE r record; BEGIN
            FOR r IN DELETE FROM users WHERE id < 9 RETURNING id LOOP
                RAISE NOTICE '%', r.id;
            END LOOP;
        END $$""",
        {"delete"},
    ),
    "update in a block": ("DO $$ BEGIN UPDATE users SET name = ''; END $$;", {"update-all"}),
    "not null in a block in a block": (
        "DO $a$ BEGIN DO $b$ BEGIN ALTER TABLE users ALTER a SET NOT NULL; END $b$; END $a$;",
        {"set-not-null", "set-not-null-scan"},
    ),
    "an old kit's foreign key on what is there": (
        """
        DO $$ BEGIN
         ALTER TABLE "orders" ADD CONSTRAINT "f" FOREIGN KEY ("article")
            REFERENCES "articles"("id");
        EXCEPTION
         WHEN duplicate_object THEN null;
        END $$;""",
        {"add-foreign-key", "constraint-scan"},
    ),
    "run as text": (
        "DO $$ BEGIN EXECUTE 'DROP TABLE users'; END $$;",
        {"opaque", "drop-table"},
    ),
    "run as text that is put together": (
        "DO $$ DECLARE t text := 'users'; BEGIN EXECUTE format('DROP TABLE %I', t); END $$;",
        {"opaque"},
    ),
    "run as text, in a loop": (
        "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP NULL; END LOOP; END $$;",
        {"opaque"},
    ),
    "a block in another language": (
        "DO LANGUAGE plperl $$ spi_exec_query('DROP TABLE users') $$;",
        {"opaque"},
    ),
    "call": ("CALL tidy_up();", {"opaque"}),
    "a function, called": ("SELECT public.tidy_up();", {"opaque"}),
    "a function, called among others": (
        'SELECT count(*) FROM (SELECT lower(a), "Tidy"(a) FROM users) x;',
        {"opaque"},
    ),
    "a function in a block": ("DO $$ BEGIN PERFORM tidy_up(); END $$;", {"opaque"}),
    "a function in a condition": (
        "DO $$ DECLARE a bool; BEGIN IF tidy_up() THEN a := true; END IF; END $$",
        {"opaque"},
    ),
    "a function, assigned": ("DO $$ DECLARE a int; BEGIN a := tidy_up(); END $$;", {"opaque"}),
    "a function, made and called": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DROP TABLE users'; SELECT f();",
        {"opaque"},
    ),
    "a function, for a table": (
        "CREATE TABLE a AS SELECT * FROM tidy_up() AS (b int);",
        {"opaque"},
    ),
    "other quotes": ("SET standard_conforming_strings = off;", {"opaque"}),
    "prepared": ("PREPARE p AS DELETE FROM users; EXECUTE p;", {"opaque"}),
    "another version of an extension": ("ALTER EXTENSION vector UPDATE;", {"opaque"}),
    "the server's settings": ("ALTER SYSTEM SET fsync = off;", {"opaque"}),
    # --- what can't be read
    "no SQL": ("ALTER TABEL users DROP COLUMN name;", {"unreadable"}),
    "no SQL among SQL": (
        "ALTER TABLE users ADD a text; frobnicate the table; DROP TABLE orders;",
        {"unreadable", "drop-table"},
    ),
    "psql's own, behind a statement": ("SELECT 'DROP TABLE users' \\gexec", {"unreadable"}),
    "psql's own": ("\\i other.sql", {"unreadable"}),
    "a quote that nothing ends": ("SELECT 'DROP TABLE users;", {"unreadable"}),
    "a bracket that nothing ends": ("CREATE TABLE a (id int; DROP TABLE users;", {"unreadable"}),
    "a block that nothing ends": ("DO $$ BEGIN SELECT 'x; END $$;", {"unreadable"}),
    # --- silenced
    "silenced for squawk": ("-- squawk-ignore ban-drop-table\nDROP TABLE users;", {"drop-table"}),
    "silenced in the file": ("-- squawk-ignore-file\nALTER TABLE users DROP a;", {"drop-column"}),
}
