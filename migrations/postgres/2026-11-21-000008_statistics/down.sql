-- SQLite has to be told what to expect of its indexes; PostgreSQL finds it out by itself.
SELECT 1;
