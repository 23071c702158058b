ALTER TABLE sites DROP COLUMN feed_floor;
ALTER TABLE sites DROP COLUMN deleted_at;
