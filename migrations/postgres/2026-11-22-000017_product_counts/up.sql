-- How many purchases have a term of each product.
CREATE TABLE product_counts (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    purchases BIGINT NOT NULL,
    PRIMARY KEY (site_id, product_id)
);
INSERT INTO product_counts (site_id, product_id, purchases)
    SELECT site_id, product_id, COUNT(DISTINCT purchase_id) FROM purchase_terms GROUP BY site_id, product_id;

-- How many have a term of each product at each price point; an empty one stands for none that is known.
CREATE TABLE price_point_counts (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    price_point TEXT NOT NULL,
    purchases BIGINT NOT NULL,
    PRIMARY KEY (site_id, product_id, price_point)
);
INSERT INTO price_point_counts (site_id, product_id, price_point, purchases)
    SELECT site_id, product_id, COALESCE(price_point, ''), COUNT(DISTINCT purchase_id)
    FROM purchase_terms GROUP BY site_id, product_id, COALESCE(price_point, '');

-- What is held of a product now is counted in the index alone.
DROP INDEX purchases_held;
CREATE INDEX purchases_held ON purchases (site_id, product_id, held_until, held_from) WHERE held_from IS NOT NULL;
