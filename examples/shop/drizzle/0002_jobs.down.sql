DROP TABLE "jobs";--> statement-breakpoint
DROP TYPE "public"."job_state";
