-- A key of one site opens that site alone; NULL opens all of them.
ALTER TABLE keys ADD COLUMN site_id TEXT REFERENCES sites (id) ON DELETE CASCADE;
-- NULL never expires.
ALTER TABLE keys ADD COLUMN expires_at TIMESTAMP;
-- To the minute; NULL until it is first used.
ALTER TABLE keys ADD COLUMN last_used_at TIMESTAMP;
-- When a webhook URL that was rotated stops being taken; NULL for the one that is shown.
ALTER TABLE hooks ADD COLUMN ends_at TIMESTAMP;
CREATE INDEX hooks_by_site ON hooks (site_id);
CREATE INDEX keys_by_site ON keys (site_id) WHERE site_id IS NOT NULL;
