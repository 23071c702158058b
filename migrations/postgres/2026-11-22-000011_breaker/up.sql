-- How many revocations pass before somebody has to look: JSON, or the word null for any number.
ALTER TABLE sites ADD COLUMN max_revocations TEXT NOT NULL DEFAULT '{"count":20,"percent":20,"window_minutes":60}';
-- How many have been held open at all: each takes the next number.
ALTER TABLE sites ADD COLUMN held_open_position BIGINT NOT NULL DEFAULT 0;

-- Of an override that holds a level open: its number at the site, when it was made, and what would have revoked.
ALTER TABLE overrides ADD COLUMN held_open_number BIGINT;
ALTER TABLE overrides ADD COLUMN held_open_at TIMESTAMP;
ALTER TABLE overrides ADD COLUMN cause_kind TEXT;
ALTER TABLE overrides ADD COLUMN cause_id TEXT;
CREATE UNIQUE INDEX overrides_held_open ON overrides (site_id, held_open_number)
    WHERE held_open_number IS NOT NULL AND ended_at IS NULL;

-- What is decided about all that is held open up to a number: release, discard; NULL where purchases are computed.
ALTER TABLE recomputes ADD COLUMN decides TEXT;
ALTER TABLE recomputes ADD COLUMN decides_up_to BIGINT;

-- How many members are recorded to hold each level.
CREATE TABLE level_counts (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    level TEXT NOT NULL,
    members BIGINT NOT NULL,
    PRIMARY KEY (site_id, level)
);
INSERT INTO level_counts (site_id, level, members)
    SELECT site_id, level, COUNT(*) FROM access GROUP BY site_id, level;

-- How many have lost each level of late, or would have, minute by minute since the beginning of 1970.
CREATE TABLE level_losses (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    level TEXT NOT NULL,
    minute BIGINT NOT NULL,
    revoked BIGINT NOT NULL,
    parked BIGINT NOT NULL,
    PRIMARY KEY (site_id, level, minute)
);
