-- When each feed of a site was heard, first and last, without reading the log.
CREATE INDEX webhooks_by_feed ON webhooks (site_id, feed, received_at);
