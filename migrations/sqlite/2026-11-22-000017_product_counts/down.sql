DROP INDEX purchases_held;
CREATE INDEX purchases_held ON purchases (site_id, product_id) WHERE held_from IS NOT NULL;
DROP TABLE price_point_counts;
DROP TABLE product_counts;
