-- How much has happened at each site, day by day in UTC: counted as it happens, so that nobody has to count rows.
CREATE TABLE daily_counts (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    day DATE NOT NULL,
    -- Who counts: 0 is whoever works at the site, under its lock; the others store webhooks, and wait for nobody.
    counter SMALLINT NOT NULL,
    -- Webhooks that were stored, and those of them that tell of money.
    webhooks BIGINT NOT NULL,
    money_webhooks BIGINT NOT NULL,
    -- Changes that were recorded.
    granted BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    PRIMARY KEY (site_id, day, counter)
) WITHOUT ROWID;

-- What is there already; what has aged out of the feed is counted by nobody any more.
INSERT INTO daily_counts (site_id, day, counter, webhooks, money_webhooks, granted, revoked)
SELECT site_id, day, 0, SUM(webhooks), SUM(money_webhooks), SUM(granted), SUM(revoked) FROM (
    SELECT
        site_id, date(received_at) AS day, COUNT(*) AS webhooks,
        SUM(CASE WHEN kind IS NULL OR kind = 'other' THEN 0 ELSE 1 END) AS money_webhooks,
        0 AS granted, 0 AS revoked
    FROM webhooks GROUP BY site_id, date(received_at)
    UNION ALL
    SELECT
        site_id, date(COALESCE(recorded_at, at)) AS day, 0 AS webhooks, 0 AS money_webhooks,
        SUM(CASE WHEN what = 'granted' THEN 1 ELSE 0 END) AS granted,
        SUM(CASE WHEN what = 'revoked' THEN 1 ELSE 0 END) AS revoked
    FROM changes GROUP BY site_id, date(COALESCE(recorded_at, at))
) counted
GROUP BY site_id, day;
