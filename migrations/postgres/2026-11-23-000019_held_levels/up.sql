-- What the door asks stands in one row: the levels that a member holds, with their ends, beside the address. Of which version of
-- the member they are tells that nobody has recorded access since without writing them here, as a process of an older release
-- does. On PostgreSQL this takes the table for itself, so that none records anything meanwhile.
ALTER TABLE members ADD COLUMN held TEXT NOT NULL DEFAULT '{}';
ALTER TABLE members ADD COLUMN held_version BIGINT NOT NULL DEFAULT 0;
UPDATE members SET held_version = version, held = '{' || COALESCE((
    SELECT string_agg(
        '"' || level || '":' || COALESCE('"' || replace(CAST(until AS TEXT), ' ', 'T') || '"', 'null'), ',' ORDER BY level
    )
    FROM access WHERE access.site_id = members.site_id AND access.member_id = members.id
), '') || '}';
