-- What SQLite may expect of the indexes. Without it, it takes each site for ten rows, and would read all of a site
-- rather than look a hundred rows up by their keys. A large site is told of, and stays told of: a plan that is good
-- there is no worse on a small one, and no plan changes by itself.
ANALYZE probes;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    -- All rows; rows of a site; rows of a site with this, and so on.
    ('webhooks', 'sqlite_autoindex_webhooks_1', '1000000 1000000 1'),
    ('webhooks', 'webhooks_due', '10000 10000 2 1'),
    ('webhooks', 'webhooks_by_status', '1000000 1000000 200000 1'),
    ('webhooks', 'webhooks_by_event', '1000000 1000000 2'),
    ('webhooks', 'webhooks_by_feed', '1000000 1000000 500000 1'),
    ('bodies', 'sqlite_autoindex_bodies_1', '1000000 1000000 1'),
    ('events', 'sqlite_autoindex_events_1', '1000000 1000000 1'),
    ('events', 'events_by_purchase', '1000000 1000000 3'),
    ('events', 'events_by_lead', '1000000 1000000 3 1'),
    ('events', 'events_loose', '10000 10000 2'),
    ('events', 'events_by_profile_email', '1000000 1000000 3'),
    ('events', 'events_by_transaction_email', '1000000 1000000 3'),
    ('event_ties', 'sqlite_autoindex_event_ties_1', '2000000 2000000 3 1'),
    ('purchases', 'sqlite_autoindex_purchases_1', '1000000 1000000 1'),
    ('purchases', 'purchases_by_lead', '1000000 1000000 2'),
    ('purchases', 'purchases_held', '10000 10000 1000'),
    ('purchase_terms', 'sqlite_autoindex_purchase_terms_1', '1000000 1000000 100000 1 1'),
    ('purchase_terms', 'purchase_terms_by_purchase', '1000000 1000000 1'),
    ('leads', 'sqlite_autoindex_leads_1', '1000000 1000000 1'),
    ('leads', 'leads_by_email', '1000000 1000000 1'),
    ('members', 'sqlite_autoindex_members_1', '1000000 1000000 1'),
    ('members', 'sqlite_autoindex_members_2', '1000000 1000000 1'),
    ('members', 'members_due', '500000 500000 2'),
    ('access', 'sqlite_autoindex_access_1', '1000000 1000000 2 1'),
    ('access', 'access_by_level', '1000000 1000000 200000 1'),
    ('changes', 'sqlite_autoindex_changes_1', '1000000 1000000 1'),
    ('changes', 'changes_by_member', '1000000 1000000 3 1');
-- Has them read by this connection, too.
ANALYZE sqlite_schema;
