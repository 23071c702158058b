CREATE INDEX events_by_profile_email ON events (site_id, profile_email) WHERE profile_email IS NOT NULL;
CREATE INDEX events_by_transaction_email ON events (site_id, transaction_email) WHERE transaction_email IS NOT NULL;
DROP TABLE lead_emails;
