-- Every address that an event of a lead names: one row for each pair of them, where an index of events had two entries for
-- each event.
CREATE TABLE lead_emails (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    email TEXT NOT NULL,
    lead_key TEXT NOT NULL,
    PRIMARY KEY (site_id, email, lead_key)
) WITHOUT ROWID;
INSERT INTO lead_emails (site_id, email, lead_key)
    SELECT site_id, profile_email, lead_key FROM events WHERE profile_email IS NOT NULL AND lead_key IS NOT NULL
    UNION
    SELECT site_id, transaction_email, lead_key FROM events WHERE transaction_email IS NOT NULL AND lead_key IS NOT NULL;
DROP INDEX events_by_profile_email;
DROP INDEX events_by_transaction_email;
