-- Every row belongs to a site and every key begins with it, but for look-ups by secret and for
-- work queues. Times are UTC and are always bound by the program, never taken from the database.

CREATE TABLE sites (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    kartra_time_zone TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    policy TEXT NOT NULL,
    ipn_secret BYTEA,
    -- Grows with every edit of the site, its levels, its mappings and what it ignores.
    rules_version BIGINT NOT NULL,
    -- The position of the site's latest change in the feed.
    feed_position BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE hooks (
    token_hash BYTEA NOT NULL PRIMARY KEY,
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    -- The token sealed, so that its URL can be shown again.
    token BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    key_hash BYTEA NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE webhooks (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    received_at TIMESTAMP NOT NULL,
    feed TEXT NOT NULL,
    status TEXT NOT NULL,
    kind TEXT,
    transaction_id TEXT,
    product_id TEXT,
    email TEXT,
    reason TEXT,
    changes INTEGER NOT NULL,
    body BYTEA NOT NULL,
    -- SHA-256 of the body as received, before its secret was masked.
    body_hash BYTEA NOT NULL,
    -- A keyed MAC of the secret that the body carried, for the replay.
    secret_mac BYTEA,
    attempts INTEGER NOT NULL,
    -- When it is to be processed; NULL once it is.
    next_attempt_at TIMESTAMP,
    -- The event that it is an observation of, how well it is vouched for, and what it says.
    event_id TEXT,
    vouched SMALLINT,
    said TEXT,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX webhooks_due ON webhooks (site_id, next_attempt_at, id) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX webhooks_by_status ON webhooks (site_id, status, id);
CREATE INDEX webhooks_by_event ON webhooks (site_id, event_id) WHERE event_id IS NOT NULL;

CREATE TABLE events (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    lead_key TEXT,
    transaction_email TEXT,
    profile_email TEXT,
    product_id TEXT,
    date TIMESTAMP NOT NULL,
    occurred_at TIMESTAMP NOT NULL,
    -- The hash of the body that the person was taken from.
    hash BYTEA NOT NULL,
    -- A reversal that names neither subscription nor order.
    loose BOOLEAN NOT NULL,
    purchase_id TEXT,
    said TEXT NOT NULL,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX events_by_purchase ON events (site_id, purchase_id) WHERE purchase_id IS NOT NULL;
CREATE INDEX events_by_lead ON events (site_id, lead_key, occurred_at) WHERE lead_key IS NOT NULL;
CREATE INDEX events_loose ON events (site_id, lead_key) WHERE loose;
CREATE INDEX events_by_profile_email ON events (site_id, profile_email) WHERE profile_email IS NOT NULL;
CREATE INDEX events_by_transaction_email ON events (site_id, transaction_email) WHERE transaction_email IS NOT NULL;

-- The subscriptions and orders that events name: what is named together belongs together.
CREATE TABLE event_ties (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    tie TEXT NOT NULL,
    event_id TEXT NOT NULL,
    PRIMARY KEY (site_id, tie, event_id)
);

CREATE TABLE purchases (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    lead_key TEXT NOT NULL,
    product_id TEXT NOT NULL,
    price_point TEXT,
    status TEXT NOT NULL,
    started_at TIMESTAMP NOT NULL,
    first_payment TEXT NOT NULL,
    terms TEXT NOT NULL,
    -- What it gives: grants, blocks, hold.
    folded TEXT NOT NULL,
    -- What its webhooks are listed as: applied, held, no_effect.
    standing TEXT NOT NULL,
    -- When it would be live, were it mapped; NULL where it is not held.
    held_from TIMESTAMP,
    held_until TIMESTAMP,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX purchases_by_lead ON purchases (site_id, lead_key);
CREATE INDEX purchases_held ON purchases (site_id, product_id) WHERE held_from IS NOT NULL;

CREATE TABLE purchase_terms (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    purchase_id TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    price_point TEXT,
    PRIMARY KEY (site_id, product_id, purchase_id, ordinal)
);
CREATE INDEX purchase_terms_by_purchase ON purchase_terms (site_id, purchase_id);

CREATE TABLE leads (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    lead_key TEXT NOT NULL,
    -- NULL while no address is known.
    email TEXT,
    PRIMARY KEY (site_id, lead_key)
);
CREATE INDEX leads_by_email ON leads (site_id, email) WHERE email IS NOT NULL;

CREATE TABLE members (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    -- Only grows: one for every recorded step of access.
    version BIGINT NOT NULL,
    -- When access next changes by time alone.
    next_change_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, id),
    UNIQUE (site_id, email)
);
CREATE INDEX members_due ON members (site_id, next_change_at) WHERE next_change_at IS NOT NULL;

CREATE TABLE access (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL,
    level TEXT NOT NULL,
    since TIMESTAMP NOT NULL,
    until TIMESTAMP,
    PRIMARY KEY (site_id, member_id, level)
);
CREATE INDEX access_by_level ON access (site_id, level, member_id);

CREATE TABLE changes (
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
    PRIMARY KEY (site_id, position)
);
CREATE INDEX changes_by_member ON changes (site_id, member_id, position);

CREATE TABLE levels (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, id)
);

CREATE TABLE mappings (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    price_point TEXT,
    level TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    purchased_from TIMESTAMP,
    purchased_before TIMESTAMP,
    policy TEXT NOT NULL,
    version BIGINT NOT NULL,
    PRIMARY KEY (site_id, id),
    FOREIGN KEY (site_id, level) REFERENCES levels (site_id, id)
);

CREATE TABLE products (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    product_id TEXT NOT NULL,
    name TEXT,
    -- The occurrence that the name was taken from: the latest one names the product.
    named_at TIMESTAMP,
    ignored BOOLEAN NOT NULL,
    first_seen_at TIMESTAMP NOT NULL,
    last_seen_at TIMESTAMP NOT NULL,
    PRIMARY KEY (site_id, product_id)
);

CREATE TABLE overrides (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    -- grant, block, lift
    kind TEXT NOT NULL,
    level TEXT,
    -- The address at its making; it decides only where no lead does.
    email TEXT NOT NULL,
    begun_at TIMESTAMP NOT NULL,
    until TIMESTAMP,
    ended_at TIMESTAMP,
    note TEXT,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX overrides_by_email ON overrides (site_id, email);
CREATE INDEX overrides_by_level ON overrides (site_id, level) WHERE level IS NOT NULL;

CREATE TABLE override_leads (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    lead_key TEXT NOT NULL,
    override_id TEXT NOT NULL,
    PRIMARY KEY (site_id, lead_key, override_id)
);
CREATE INDEX override_leads_by_override ON override_leads (site_id, override_id);

-- Work that a change of rules leaves behind: which purchases are computed again, and how far it got.
CREATE TABLE recomputes (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    -- The product concerned; NULL for every purchase of the site.
    product_id TEXT,
    -- Whether the dates of the events have to be read anew, too.
    reread_dates BOOLEAN NOT NULL,
    cause_kind TEXT NOT NULL,
    cause_id TEXT NOT NULL,
    members BIGINT NOT NULL,
    done BIGINT NOT NULL,
    -- The last purchase that was computed again.
    reached TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    PRIMARY KEY (site_id, id)
);
CREATE INDEX recomputes_open ON recomputes (site_id, created_at) WHERE finished_at IS NULL;

-- What readiness writes to, to see that a commit works.
CREATE TABLE probes (
    id INTEGER NOT NULL PRIMARY KEY,
    at TIMESTAMP NOT NULL
);
