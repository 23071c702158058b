-- Who is signed in to the console. Neither the token nor the key is here, only their hashes.
CREATE TABLE sessions (
    token_hash BYTEA PRIMARY KEY NOT NULL,
    -- The key that was signed in with: what it may do, and for how long, is looked up with every request.
    key_hash BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    -- When it was last used, about to the minute.
    used_at TIMESTAMP NOT NULL
);
CREATE INDEX sessions_used ON sessions (used_at);

-- Links that sign in once, each with a key.
CREATE TABLE sign_in_links (
    token_hash BYTEA PRIMARY KEY NOT NULL,
    key_hash BYTEA NOT NULL,
    ends_at TIMESTAMP NOT NULL
);
