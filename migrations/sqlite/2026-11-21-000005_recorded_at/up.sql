-- When the change was recorded: an end is dated (at) at its own instant, however late it was recorded. NULL
-- for what was recorded before this column was there: then at counts.
ALTER TABLE changes ADD COLUMN recorded_at TIMESTAMP;
