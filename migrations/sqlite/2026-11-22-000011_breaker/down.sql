-- What was held open stays so, as what an operator gave: nobody loses access by going back.
UPDATE overrides SET kind = 'grant' WHERE kind = 'held_open';
DELETE FROM recomputes WHERE decides IS NOT NULL;
DROP TABLE level_losses;
DROP TABLE level_counts;
DROP INDEX overrides_held_open;
ALTER TABLE recomputes DROP COLUMN decides_up_to;
ALTER TABLE recomputes DROP COLUMN decides;
ALTER TABLE overrides DROP COLUMN cause_id;
ALTER TABLE overrides DROP COLUMN cause_kind;
ALTER TABLE overrides DROP COLUMN held_open_at;
ALTER TABLE overrides DROP COLUMN held_open_number;
ALTER TABLE sites DROP COLUMN held_open_position;
ALTER TABLE sites DROP COLUMN max_revocations;
