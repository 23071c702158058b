-- When the next payment of a subscription is expected; NULL where none is, or nothing tells when.
ALTER TABLE purchases ADD COLUMN payment_due_at TIMESTAMP;
CREATE INDEX purchases_due ON purchases (site_id, payment_due_at, id) WHERE payment_due_at IS NOT NULL;
-- What has been held for how long, and still is, without a look at what is held no more.
CREATE INDEX purchases_held_since ON purchases (site_id, held_until, held_from) WHERE held_from IS NOT NULL;
-- The last purchase whose column above was worked out from what was there before it; NULL when all are, as they are
-- where a site is made from now on.
ALTER TABLE sites ADD COLUMN dues_reached TEXT;
UPDATE sites SET dues_reached = '';

-- What an operator is told of without asking: one row an episode, from when its cause was first seen until it is gone.
CREATE TABLE alarms (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_seen_at TIMESTAMP NOT NULL,
    ended_at TIMESTAMP,
    -- How much there was when it was looked at last.
    number BIGINT NOT NULL,
    detail TEXT NOT NULL,
    -- What is posted of it, to the letter, at every attempt.
    message TEXT NOT NULL,
    -- When it is to be posted next, or to be tried again where whoever has claimed it says no more; NULL where it is not.
    next_post_at TIMESTAMP,
    attempts INTEGER NOT NULL,
    -- Who has claimed it; NULL where nobody has.
    claim TEXT,
    posted_at TIMESTAMP,
    last_error TEXT,
    PRIMARY KEY (site_id, id)
);
-- Of one kind, one episode at a time.
CREATE UNIQUE INDEX alarms_open ON alarms (site_id, kind) WHERE ended_at IS NULL;
CREATE INDEX alarms_ended ON alarms (site_id, id) WHERE ended_at IS NOT NULL;
CREATE INDEX alarms_due ON alarms (next_post_at) WHERE next_post_at IS NOT NULL;

-- What a site wants to be told of, and where to. What is sealed may hold a password.
CREATE TABLE alarm_settings (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    url BYTEA,
    secret BYTEA,
    heartbeat_url BYTEA,
    -- When the receiver said that it is gone (410): nothing is posted until another URL is set.
    gone_at TIMESTAMP,
    thresholds TEXT NOT NULL,
    -- The kinds that are not watched.
    off TEXT NOT NULL,
    PRIMARY KEY (site_id)
);

-- What one process does at a time, and when the next one may.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    until TIMESTAMP NOT NULL
);
INSERT INTO leases (name, until) VALUES ('alarms', '2000-01-01 00:00:00');
