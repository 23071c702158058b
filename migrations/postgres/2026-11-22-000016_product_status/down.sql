DROP INDEX mappings_by_product;
DROP INDEX products_by_status;
ALTER TABLE products ADD COLUMN ignored BOOLEAN NOT NULL DEFAULT FALSE;
UPDATE products SET ignored = (status = 'ignored');
ALTER TABLE products DROP COLUMN status;
