ALTER TABLE "customers" ADD COLUMN "loyalty" integer DEFAULT 0 NOT NULL;
