-- Lists are read in pages, each of which begins behind a key: newest first, by when a thing was made and then by its id.
-- What has an id that grows with time is listed by that, and needs no index more.
CREATE INDEX sites_by_age ON sites (created_at, id);
CREATE INDEX levels_by_age ON levels (site_id, created_at, id);
CREATE INDEX products_by_age ON products (site_id, first_seen_at, product_id);
DROP INDEX keys_by_site;
CREATE INDEX keys_by_site ON keys (site_id, id) WHERE site_id IS NOT NULL;
