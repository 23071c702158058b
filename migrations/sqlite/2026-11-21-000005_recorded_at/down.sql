ALTER TABLE changes DROP COLUMN recorded_at;
