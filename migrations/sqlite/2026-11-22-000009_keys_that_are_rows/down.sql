CREATE TABLE event_ties_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    tie TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (site_id, tie, event_id)
);
INSERT INTO event_ties_anew (site_id, tie, event_id)
    SELECT site_id, tie, event_id
    FROM event_ties ORDER BY site_id, tie, event_id;
DROP TABLE event_ties;
ALTER TABLE event_ties_anew RENAME TO event_ties;

CREATE TABLE purchase_terms_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    purchase_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    price_point TEXT,
    PRIMARY KEY (site_id, product_id, purchase_id, ordinal)
);
INSERT INTO purchase_terms_anew (site_id, product_id, purchase_id, ordinal, price_point)
    SELECT site_id, product_id, purchase_id, ordinal, price_point
    FROM purchase_terms ORDER BY site_id, product_id, purchase_id, ordinal;
DROP TABLE purchase_terms;
ALTER TABLE purchase_terms_anew RENAME TO purchase_terms;
CREATE INDEX purchase_terms_by_purchase ON purchase_terms (site_id, purchase_id);

CREATE TABLE leads_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    lead_key TEXT NOT NULL,
    -- NULL while no address is known.
    email TEXT,
    PRIMARY KEY (site_id, lead_key)
);
INSERT INTO leads_anew (site_id, lead_key, email)
    SELECT site_id, lead_key, email
    FROM leads ORDER BY site_id, lead_key;
DROP TABLE leads;
ALTER TABLE leads_anew RENAME TO leads;
CREATE INDEX leads_by_email ON leads (site_id, email) WHERE email IS NOT NULL;

CREATE TABLE members_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    -- Only grows: one for every recorded step of access.
    version BIGINT NOT NULL,
    -- When access next changes by time alone.
    next_change_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, email)
);
INSERT INTO members_anew (site_id, id, email, version, next_change_at, created_at)
    SELECT site_id, id, email, version, next_change_at, created_at
    FROM members ORDER BY site_id, email;
DROP TABLE members;
ALTER TABLE members_anew RENAME TO members;
CREATE UNIQUE INDEX members_by_id ON members (site_id, id);
CREATE INDEX members_due ON members (site_id, next_change_at) WHERE next_change_at IS NOT NULL;

CREATE TABLE access_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL,
    level TEXT NOT NULL,
    since TIMESTAMP NOT NULL,
    until TIMESTAMP,
    PRIMARY KEY (site_id, member_id, level)
);
INSERT INTO access_anew (site_id, member_id, level, since, until)
    SELECT site_id, member_id, level, since, until
    FROM access ORDER BY site_id, member_id, level;
DROP TABLE access;
ALTER TABLE access_anew RENAME TO access;
CREATE INDEX access_by_level ON access (site_id, level, member_id);

CREATE TABLE changes_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    at TIMESTAMP NOT NULL,
    member_id TEXT NOT NULL,
    email TEXT NOT NULL,
    level TEXT NOT NULL,
    what TEXT NOT NULL,
    until TIMESTAMP,
    cause_kind TEXT NOT NULL,
    cause_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- NULL for what was recorded before this column was there: then at counts.
    recorded_at TIMESTAMP,
    PRIMARY KEY (site_id, position)
);
INSERT INTO changes_anew (site_id, position, at, member_id, email, level, what, until, cause_kind, cause_id, reason, recorded_at)
    SELECT site_id, position, at, member_id, email, level, what, until, cause_kind, cause_id, reason, recorded_at
    FROM changes ORDER BY site_id, position;
DROP TABLE changes;
ALTER TABLE changes_anew RENAME TO changes;
CREATE INDEX changes_by_member ON changes (site_id, member_id, position);

CREATE TABLE override_leads_anew (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    lead_key TEXT NOT NULL,
    override_id TEXT NOT NULL,
    PRIMARY KEY (site_id, lead_key, override_id)
);
INSERT INTO override_leads_anew (site_id, lead_key, override_id)
    SELECT site_id, lead_key, override_id
    FROM override_leads ORDER BY site_id, lead_key, override_id;
DROP TABLE override_leads;
ALTER TABLE override_leads_anew RENAME TO override_leads;
CREATE INDEX override_leads_by_override ON override_leads (site_id, override_id);

-- What to expect of them went with the tables.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('event_ties', 'sqlite_autoindex_event_ties_1', '2000000 2000000 3 1'),
    ('purchase_terms', 'sqlite_autoindex_purchase_terms_1', '1000000 1000000 100000 1 1'),
    ('leads', 'sqlite_autoindex_leads_1', '1000000 1000000 1'),
    ('members', 'sqlite_autoindex_members_1', '1000000 1000000 1'),
    ('access', 'sqlite_autoindex_access_1', '1000000 1000000 2 1'),
    ('changes', 'sqlite_autoindex_changes_1', '1000000 1000000 1'),
    ('purchase_terms', 'purchase_terms_by_purchase', '1000000 1000000 1'),
    ('leads', 'leads_by_email', '1000000 1000000 1'),
    ('members', 'members_by_id', '1000000 1000000 1'),
    ('members', 'members_due', '500000 500000 2'),
    ('access', 'access_by_level', '1000000 1000000 200000 1'),
    ('changes', 'changes_by_member', '1000000 1000000 3 1');
ANALYZE sqlite_schema;
