DROP INDEX keys_by_site;
DROP INDEX hooks_by_site;
ALTER TABLE hooks DROP COLUMN ends_at;
ALTER TABLE keys DROP COLUMN last_used_at;
ALTER TABLE keys DROP COLUMN expires_at;
ALTER TABLE keys DROP COLUMN site_id;
