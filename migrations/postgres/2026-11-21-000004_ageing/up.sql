-- When the site was deleted: nobody finds it any more, and its rows are removed in small batches.
ALTER TABLE sites ADD COLUMN deleted_at TIMESTAMP;
-- The feed's changes up to this position have aged out.
ALTER TABLE sites ADD COLUMN feed_floor BIGINT NOT NULL DEFAULT 0;
