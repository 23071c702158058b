ALTER TABLE members DROP COLUMN held_version;
ALTER TABLE members DROP COLUMN held;
