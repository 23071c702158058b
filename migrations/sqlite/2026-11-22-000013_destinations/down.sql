DROP TABLE drift;
DROP TABLE destination_runs;
DROP TABLE pushes;
DROP TABLE destinations;
ALTER TABLE sites DROP COLUMN destinations;
