DROP INDEX keys_by_site;
CREATE INDEX keys_by_site ON keys (site_id) WHERE site_id IS NOT NULL;
DROP INDEX products_by_age;
DROP INDEX levels_by_age;
DROP INDEX sites_by_age;
