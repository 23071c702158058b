-- Where access is carried to.
CREATE TABLE destinations (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    enabled BOOLEAN NOT NULL,
    -- What operators wrote down, as JSON; what of it is secret, sealed.
    config TEXT NOT NULL,
    secrets BLOB,
    -- Which levels it is told of and what it calls them, as JSON.
    levels TEXT NOT NULL,
    -- The types of messages that it wants, as JSON.
    types TEXT NOT NULL,
    -- How fast it is called; NULL where its kind decides.
    calls_per_second INTEGER,
    concurrency INTEGER,
    -- ok, paused or broken, and why.
    state TEXT NOT NULL,
    detail TEXT,
    -- Since when it is not ok; NULL where it is.
    down_since TIMESTAMP,
    -- How many attempts have failed since one succeeded, and until when it is left alone for that.
    failures INTEGER NOT NULL,
    paused_until TIMESTAMP,
    -- Until when messages are signed with the secret before, too.
    secret_before_until TIMESTAMP,
    -- When it is next compared with what is wanted.
    next_drift_at TIMESTAMP,
    version BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    -- When it was deleted: nobody finds it any more, and its rows are removed in small batches.
    deleted_at TIMESTAMP,
    PRIMARY KEY (site_id, id)
);

-- How many destinations a site has: only then is it noted whose access they have to be brought in line with.
ALTER TABLE sites ADD COLUMN destinations BIGINT NOT NULL DEFAULT 0;

-- The work of bringing one member at one destination in line, one row for both, and what is remembered of the member
-- there; and messages about something else.
CREATE TABLE pushes (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    destination_id TEXT NOT NULL,
    -- The member; of a message about something else, its own id.
    subject TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The type of message: access.changed for members, at every kind of destination.
    what TEXT NOT NULL,
    -- The member's address; NULL for messages about something else.
    email TEXT,
    -- pending, retrying, done or failed.
    status TEXT NOT NULL,
    -- The position in the feed that it has to carry, and the one that the destination has confirmed; NULL before any.
    wanted BIGINT NOT NULL,
    confirmed BIGINT,
    attempts INTEGER NOT NULL,
    -- When it is to be sent next, or again where whoever has claimed it says no more; NULL where it is not.
    next_attempt_at TIMESTAMP,
    -- Who has claimed it; NULL where nobody has.
    claim TEXT,
    last_error TEXT,
    -- When it was last wanted anew, and when it was last confirmed.
    wanted_at TIMESTAMP NOT NULL,
    done_at TIMESTAMP,
    -- The number of the last message about the member, which only grows; the text of a message about something else.
    version BIGINT NOT NULL,
    message TEXT,
    -- What the destination calls the member; NULL while that is not known.
    remote_id TEXT,
    -- What Latchkey has added there (or told), as JSON: nothing else is ever removed.
    owned TEXT NOT NULL,
    -- How far Latchkey has made the account: begun, done; NULL where it has not.
    account TEXT,
    -- How far its owner has been welcomed: begun, done; NULL where they have not.
    welcome TEXT,
    -- The member whose account goes on under this address, where there is one.
    moves_from TEXT,
    -- Whether what is wanted and already there is taken over as Latchkey's.
    adopts BOOLEAN NOT NULL,
    -- The run that asked for it; NULL where none did.
    run_id TEXT,
    PRIMARY KEY (site_id, destination_id, subject)
);
CREATE UNIQUE INDEX pushes_by_id ON pushes (site_id, id);
CREATE INDEX pushes_by_status ON pushes (site_id, status, id);
CREATE INDEX pushes_of_subject ON pushes (site_id, subject);
CREATE INDEX pushes_first ON pushes (site_id, destination_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL AND attempts = 0;
CREATE INDEX pushes_later ON pushes (site_id, destination_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL AND attempts > 0;
CREATE INDEX pushes_of_run ON pushes (site_id, run_id) WHERE run_id IS NOT NULL AND next_attempt_at IS NOT NULL;

-- Runs over every member of a destination.
CREATE TABLE destination_runs (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    -- observe, repair or resync.
    kind TEXT NOT NULL,
    adopts BOOLEAN NOT NULL,
    -- retrying (failed pushes are taken up), walking (members are gone over), settling (pushes are waited for) or finished.
    stage TEXT NOT NULL,
    -- The last member that was gone over, how many of how many were, and how often the next one was tried in vain.
    reached TEXT NOT NULL,
    done BIGINT NOT NULL,
    total BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    -- What was found, and how many of the pushes that a resync has wanted have failed.
    missing BIGINT NOT NULL,
    surplus BIGINT NOT NULL,
    unseen BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    -- Who is at it, and until when; NULL where nobody is.
    claim TEXT,
    claimed_until TIMESTAMP,
    -- What is to be said of it in words; NULL where nothing is.
    detail TEXT,
    created_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,
    PRIMARY KEY (site_id, id)
);
CREATE UNIQUE INDEX destination_runs_open ON destination_runs (site_id, destination_id) WHERE finished_at IS NULL;
CREATE INDEX destination_runs_by_destination ON destination_runs (site_id, destination_id, id);

-- What a run has found to differ.
CREATE TABLE drift (
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    run_id TEXT NOT NULL,
    -- The member, what the destination calls the thing, and whether it is missing, surplus, or unseen; of a member who
    -- is unseen, the thing is empty, and the reason is there.
    subject TEXT NOT NULL,
    remote TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT,
    PRIMARY KEY (site_id, run_id, subject, remote)
);
