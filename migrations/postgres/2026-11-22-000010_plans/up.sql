-- What other rules would do to each member, computed before it happens.
CREATE TABLE plans (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    -- edit, or upgrade: what a new version of the core would do.
    kind TEXT NOT NULL,
    -- computing, ready, applied or stale.
    state TEXT NOT NULL,
    -- What it would write, as JSON.
    edits TEXT NOT NULL,
    -- Which of the scopes it is at, and the last purchase of that scope that was looked at.
    scope INTEGER NOT NULL,
    reached TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    gains BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    moves BIGINT NOT NULL,
    -- How many purchases each window holds, as JSON.
    windows TEXT NOT NULL,
    -- What made it stale, as JSON; NULL while it is not.
    moved TEXT,
    created_at TIMESTAMP NOT NULL,
    ready_at TIMESTAMP,
    -- When it was applied or became stale; NULL while it is open.
    ended_at TIMESTAMP,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX plans_open ON plans (site_id) WHERE ended_at IS NULL;

-- Who gains a level, loses one, or has its end moved.
CREATE TABLE plan_members (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    plan_id TEXT NOT NULL,
    email TEXT NOT NULL,
    level TEXT NOT NULL,
    -- gain, loss or move.
    what TEXT NOT NULL,
    -- The ends; NULL where none is known, and where the level is not held.
    before_until TIMESTAMP,
    after_until TIMESTAMP,
    PRIMARY KEY (site_id, plan_id, email, level)
);

-- Whose access was computed since an open plan looked at them.
CREATE TABLE plan_touched (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    plan_id TEXT NOT NULL,
    email TEXT NOT NULL,
    PRIMARY KEY (site_id, plan_id, email)
);

-- How many plans are open: only then is it noted whose access is computed.
ALTER TABLE sites ADD COLUMN plans_open BIGINT NOT NULL DEFAULT 0;
-- The version of the core that works on it.
ALTER TABLE sites ADD COLUMN core_version BIGINT NOT NULL DEFAULT 1;
-- The plan that led to it; NULL where nobody saw beforehand what it would do.
ALTER TABLE recomputes ADD COLUMN plan_id TEXT;
