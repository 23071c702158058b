-- Bodies stand apart: applying webhooks, listing them and writing what became of them moves none, and a body
-- ages out by being deleted. No key refers to another table: a body is stored and removed with its webhook.
CREATE TABLE bodies (
    site_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    -- As it was received, but for its masked secret.
    body BLOB NOT NULL,
    PRIMARY KEY (site_id, webhook_id)
);
INSERT INTO bodies (site_id, webhook_id, body) SELECT site_id, id, body FROM webhooks ORDER BY site_id, id;
ALTER TABLE webhooks DROP COLUMN body;
