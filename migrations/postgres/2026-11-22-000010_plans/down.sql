ALTER TABLE recomputes DROP COLUMN plan_id;
ALTER TABLE sites DROP COLUMN core_version;
ALTER TABLE sites DROP COLUMN plans_open;
DROP TABLE plan_touched;
DROP TABLE plan_members;
DROP TABLE plans;
