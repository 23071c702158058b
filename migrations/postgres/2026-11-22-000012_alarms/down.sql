DROP TABLE leases;
DROP TABLE alarm_settings;
DROP TABLE alarms;
ALTER TABLE sites DROP COLUMN dues_reached;
DROP INDEX purchases_held_since;
DROP INDEX purchases_due;
ALTER TABLE purchases DROP COLUMN payment_due_at;
