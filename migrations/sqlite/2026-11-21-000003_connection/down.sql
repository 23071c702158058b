DROP INDEX webhooks_by_feed;
