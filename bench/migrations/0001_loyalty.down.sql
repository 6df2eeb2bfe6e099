ALTER TABLE "customers" DROP COLUMN "loyalty";
