-- Whether operators have decided about a product: `ignored` if they ignore it, else `mapped` if a mapping names it, else
-- `unmapped`. It is written down, so that the few that wait for somebody are found among very many that do not.
ALTER TABLE products ADD COLUMN status TEXT NOT NULL DEFAULT 'unmapped';
UPDATE products SET status = CASE
    WHEN ignored THEN 'ignored'
    WHEN EXISTS (
        SELECT 1 FROM mappings
        WHERE mappings.site_id = products.site_id AND mappings.product_id = products.product_id
    ) THEN 'mapped'
    ELSE 'unmapped'
END;
ALTER TABLE products DROP COLUMN ignored;
CREATE INDEX products_by_status ON products (site_id, status, first_seen_at, product_id);
-- Whether any mapping names a product is asked whenever its mappings change.
CREATE INDEX mappings_by_product ON mappings (site_id, product_id);
