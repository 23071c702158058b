ALTER TABLE webhooks ADD COLUMN body BLOB NOT NULL DEFAULT '';
UPDATE webhooks SET body = COALESCE(
    (SELECT b.body FROM bodies b WHERE b.site_id = webhooks.site_id AND b.webhook_id = webhooks.id), '');
DROP TABLE bodies;
